/** Bits of a stream, most significant first. Taking them is synchronous once `ensure` has brought them near. */
import { Buffer } from 'node:buffer';
import { InvalidArchiveError } from '../../errors.ts';
import type { ByteReader } from '../byte-reader.ts';

const chunk = 64 * 1024;

export class BitReader {
  readonly #source: ByteReader;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #held = 0;
  #heldBits = 0;

  constructor(source: ByteReader) {
    this.#source = source;
  }

  /** Brings at least so many bytes near, or all that are left. Answers a promise only where it has to wait. */
  ensure(bytes: number): Promise<void> | undefined {
    return this.#bytes.length - this.#at >= bytes ? undefined : this.#fetch(bytes);
  }

  /** True at the end of the stream; only at a byte boundary, after `ensure`. */
  get ended(): boolean {
    return this.#heldBits < 8 && this.#at >= this.#bytes.length;
  }

  /** Up to 24 bits. @throws InvalidArchiveError at the end of the stream */
  take(bits: number): number {
    while (this.#heldBits < bits) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new InvalidArchiveError('the bzip2 stream is cut short');
      this.#at += 1;
      this.#held = ((this.#held << 8) | byte) & 0x7fffffff;
      this.#heldBits += 8;
    }
    this.#heldBits -= bits;
    return (this.#held >>> this.#heldBits) & ((1 << bits) - 1);
  }

  /** 32 bits, unsigned. */
  take32(): number {
    return this.take(16) * 0x10000 + this.take(16);
  }

  /** Drops what is left of the byte that was begun. */
  align(): void {
    this.#heldBits -= this.#heldBits % 8;
  }

  async #fetch(bytes: number): Promise<void> {
    const parts = [this.#bytes.subarray(this.#at)];
    let near = parts[0]?.length ?? 0;
    while (near < bytes) {
      const more = await this.#source.some(chunk);
      if (more === undefined) break;
      parts.push(more);
      near += more.length;
    }
    this.#bytes = Buffer.concat(parts);
    this.#at = 0;
  }
}
