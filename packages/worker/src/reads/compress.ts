/** Everything but followed files is gzipped on its way (execution.md §5.3). */
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';

const gzipWhole = promisify(gzip);

/** One gzip member; a failure of the source destroys it, so that it never looks complete. */
export function gzipped(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const compressor = createGzip({ level: 1, chunkSize: 64 * 1024 });
  // `pipeline` destroys the compressor with the error of the source; whoever reads it sees that.
  pipeline(Readable.from(source, { objectMode: false }), compressor, () => undefined);
  return compressor as AsyncIterable<Uint8Array>;
}

export async function gzippedBytes(bytes: Uint8Array): Promise<Uint8Array> {
  return await gzipWhole(bytes);
}
