/** Reads a stream to its end; for bodies that are known to be small. @throws RangeError beyond `most` bytes */
export async function collect(source: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > most) throw new RangeError(`More than ${most} bytes came.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
