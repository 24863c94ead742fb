/** The engine's log format: frames of eight bytes of header (stream, three zeros, length) and a payload. */

const headerLength = 8;

/** Payload of all frames, both streams in the order they came. A truncated last frame gives what is there of it. */
export function joinFrames(bytes: Buffer): Buffer {
  const payloads: Buffer[] = [];
  let offset = 0;
  while (offset + headerLength <= bytes.length) {
    const length = bytes.readUInt32BE(offset + 4);
    payloads.push(bytes.subarray(offset + headerLength, offset + headerLength + length));
    offset += headerLength + length;
  }
  return Buffer.concat(payloads);
}
