/** Writes to the standard streams at once and in order; cheaper to begin with than `process.stdout`. */
import { writeSync } from 'node:fs';

/** Nobody reads any more: the program ends quietly, as others in a pipeline do. */
export class BrokenPipe extends Error {
  override readonly name = 'BrokenPipe';
}

export interface Output {
  /** @throws BrokenPipe */
  write(chunk: string | Uint8Array): void;
}

export function outputTo(descriptor: number): Output {
  return {
    write(chunk) {
      let rest = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      while (rest.byteLength > 0) {
        const written = tryWrite(descriptor, rest);
        if (written === undefined) pause();
        else rest = rest.subarray(written);
      }
    },
  };
}

/** Bytes written, or undefined where the other side has no room just now. */
function tryWrite(descriptor: number, bytes: Uint8Array): number | undefined {
  try {
    return writeSync(descriptor, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN') return undefined;
    // The second where standard output is a socket, and the reader left before it had read everything.
    if (code === 'EPIPE' || code === 'ECONNRESET') throw new BrokenPipe();
    throw error;
  }
}

/** A pipe that another program has made non-blocking answers at once that it is full; there is no event to wait for here. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
}
