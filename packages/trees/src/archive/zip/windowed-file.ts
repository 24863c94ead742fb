/**
 * Reads a spooled zip file through a few windows. A zip is read in tiny pieces, alternately from its directory and from its
 * members; as single calls to the filesystem they would take ten times as long as the unpacking itself.
 */
import { Buffer } from 'node:buffer';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { RandomAccessReader } from 'yauzl';
import { InvalidArchiveError } from '../../errors.ts';

const windowSize = 256 * 1024;
const windows = 4;

export class WindowedFile extends RandomAccessReader {
  readonly #path: string;
  readonly #file: number;
  /** By the number of the window; the one used last comes last. */
  readonly #kept = new Map<number, Buffer>();

  constructor(path: string) {
    super();
    this.#path = path;
    this.#file = openSync(path, 'r');
  }

  /** Exactly these bytes, at most a few windows of them. @throws InvalidArchiveError where the file ends before */
  take(position: number, length: number): Buffer {
    const taken = Buffer.allocUnsafe(length);
    let at = 0;
    while (at < length) {
      const number = Math.floor((position + at) / windowSize);
      const window = this.#window(number);
      const copied = window.copy(taken, at, position + at - number * windowSize);
      if (copied === 0) throw new InvalidArchiveError('the zip file is cut short');
      at += copied;
    }
    return taken;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    let failure: Error | null = null;
    try {
      this.take(position, length).copy(buffer, offset);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    process.nextTick(callback, failure);
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return createReadStream(this.#path, { start, end: end - 1 });
  }

  override close(callback: (error: Error | null) => void): void {
    closeSync(this.#file);
    this.#kept.clear();
    process.nextTick(callback, null);
  }

  #window(number: number): Buffer {
    const kept = this.#kept.get(number);
    if (kept !== undefined) {
      this.#kept.delete(number);
      this.#kept.set(number, kept);
      return kept;
    }
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= windows && oldest !== undefined) this.#kept.delete(oldest);
    const window = Buffer.allocUnsafeSlow(windowSize);
    let filled = 0;
    for (;;) {
      const got = readSync(this.#file, window, filled, windowSize - filled, number * windowSize + filled);
      if (got === 0) break;
      filled += got;
    }
    const read = window.subarray(0, filled);
    this.#kept.set(number, read);
    return read;
  }
}
