/** Writes to a standard stream without holding up the program: a reader that takes its time must not keep a connection silent. */
import { write } from 'node:fs';
import { BrokenPipe } from '../output.ts';

/** Milliseconds until a full pipe that does not wait by itself is tried again. */
const pause = 5;

/** Bytes go out in the order of the calls if each waits for the one before. @throws BrokenPipe */
export function writeAll(descriptor: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const from = (offset: number) => {
      if (offset >= bytes.byteLength) return resolve();
      write(descriptor, bytes, offset, bytes.byteLength - offset, null, (error, written) => {
        if (error === null) from(offset + written);
        else if (error.code === 'EAGAIN') setTimeout(() => from(offset), pause);
        else reject(error.code === 'EPIPE' || error.code === 'ECONNRESET' ? new BrokenPipe() : error);
      });
    };
    from(0);
  });
}
