import type { Duplex, PassThrough } from 'node:stream';
import { once } from 'node:events';

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

/**
 * Takes the two streams of a command apart, as they come, to the end of the connection.
 * Where one of them is not read, the other has to wait: they share a connection.
 * @throws what broke the connection
 */
export async function splitFrames(source: Duplex, stdout: PassThrough, stderr: PassThrough): Promise<void> {
  let header = Buffer.alloc(0);
  let left = 0;
  let target = stdout;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    for (let rest = chunk; rest.length > 0;) {
      if (left === 0) {
        const missing = headerLength - header.length;
        header = Buffer.concat([header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (header.length < headerLength) break;
        target = header[0] === 2 ? stderr : stdout;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      if (!target.destroyed && !target.write(piece)) await room(target);
    }
  }
}

/** Returns when more can be written, or nothing any more. */
async function room(stream: PassThrough): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  const closed = once(stream, 'close', { signal });
  const drained = once(stream, 'drain', { signal });
  closed.catch(() => undefined);
  drained.catch(() => undefined);
  await Promise.race([drained, closed]);
  settled.abort();
}
