/** How much an archive may unpack to: counted while it unpacks, so that a bomb is stopped, not measured. */
import { LimitExceededError } from '../errors.ts';

export interface ArchiveLimits {
  /** Files, links and directories. */
  readonly entries: number;
  /** Bytes of all files together; the server sets what is left of the user's quota. */
  readonly bytes: number;
  /** Unpacked bytes for each byte that arrived. */
  readonly ratio: number;
}

/**
 * One layer of deflate reaches 1032 to 1 on zeros, which users do send. So the ratio stops only what honest gzip cannot do:
 * zip members that share their bytes, and bzip2, which reaches a million to 1.
 */
export const defaultLimits: ArchiveLimits = {
  entries: 10_000_000,
  bytes: Number.POSITIVE_INFINITY,
  ratio: 1100,
};

/** Below this an unusual ratio does no harm. */
const ratioFrom = 64 * 1024 * 1024;

export class LimitCounter {
  readonly #limits: ArchiveLimits;
  #entries = 0;
  #bytes = 0;
  #unpacked = 0;
  #arrived = 0;

  constructor(limits: Partial<ArchiveLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Bytes of all files so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Bytes of the packed stream so far. */
  get arrived(): number {
    return this.#arrived;
  }

  entry(): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.entries) {
      throw new LimitExceededError('entries', `the archive has more than ${this.#limits.entries} entries`);
    }
  }

  /** Counts bytes of files. @throws LimitExceededError */
  file(length: number): void {
    this.#bytes += length;
    if (this.#bytes > this.#limits.bytes) {
      throw new LimitExceededError('bytes', `the archive unpacks to more than ${this.#limits.bytes} bytes`);
    }
  }

  /** Counts bytes of the packed stream. */
  arrive(length: number): void {
    this.#arrived += length;
  }

  /** Counts what came out of the decompressor. @throws LimitExceededError */
  unpack(length: number): void {
    this.#unpacked += length;
    if (this.#unpacked > ratioFrom && this.#unpacked > this.#arrived * this.#limits.ratio) {
      throw new LimitExceededError(
        'ratio',
        `the archive unpacks to more than ${this.#limits.ratio} times its size`,
      );
    }
  }

  /** Passes the packed stream on, counting it. */
  async *arriving(
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      signal?.throwIfAborted();
      this.#arrived += chunk.length;
      yield chunk;
    }
    signal?.throwIfAborted();
  }

  /** Passes unpacked bytes on, counting them. */
  async *unpacking(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.unpack(chunk.length);
      yield chunk;
    }
  }
}
