/** Takes exact numbers of bytes from a stream of chunks, without copying where they lie in one chunk. */
import { Buffer } from 'node:buffer';

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next bytes, at most `most` of them, or undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    if (this.#held.length === 0 && !(await this.#more())) return undefined;
    const taken = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(taken.length);
    return taken;
  }

  /** Exactly `length` bytes; fewer only where the stream ends before. */
  async upTo(length: number): Promise<Buffer> {
    if (this.#held.length >= length) {
      const taken = this.#held.subarray(0, length);
      this.#held = this.#held.subarray(length);
      return taken;
    }
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const part = await this.some(missing);
      if (part === undefined) break;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** Puts bytes back that were just taken. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0)
      this.#held = this.#held.length === 0 ? asBuffer(bytes) : Buffer.concat([bytes, this.#held]);
  }

  /** Reads the rest away. */
  async drain(): Promise<void> {
    while ((await this.some(Number.MAX_SAFE_INTEGER)) !== undefined);
  }

  /** Tells the source that no more is wanted. */
  async cancel(): Promise<void> {
    this.#ended = true;
    await this.#source.return?.();
  }

  async #more(): Promise<boolean> {
    while (!this.#ended) {
      const next = await this.#source.next();
      if (next.done === true) {
        this.#ended = true;
      } else if (next.value.length > 0) {
        this.#held = asBuffer(next.value);
        return true;
      }
    }
    return false;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
