/** A store that keeps blobs in memory: for tests, and for contents too small to be worth a file. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  BlobBusyError,
  BlobMissingError,
  ContentsError,
  DigestMismatchError,
  OffsetMismatchError,
} from '../errors.ts';
import { digestOf } from '../tree/digest.ts';
import type { Digest } from '../tree/entry.ts';
import type { BlobStore, BlobWriter, FailedPlacement, PartialBlob, SpooledFile } from './blob-store.ts';

export interface MemoryStoreOptions {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export class MemoryStore implements BlobStore {
  readonly capabilities = { localPaths: false } as const;
  readonly #now: () => number;
  readonly #blobs = new Map<Digest, { bytes: Buffer; modifiedAt: number }>();
  readonly #partials = new Map<string, { bytes: Buffer; modifiedAt: number }>();
  readonly #appending = new Set<string>();

  constructor(options: MemoryStoreOptions = {}) {
    this.#now = options.now ?? Date.now;
  }

  async has(digest: Digest): Promise<boolean> {
    return this.#blobs.has(digest);
  }

  async size(digest: Digest): Promise<number | undefined> {
    return this.#blobs.get(digest)?.bytes.length;
  }

  async claim(digests: readonly Digest[]): Promise<(number | undefined)[]> {
    return digests.map((digest) => {
      const blob = this.#blobs.get(digest);
      if (blob !== undefined) blob.modifiedAt = this.#now();
      return blob?.bytes.length;
    });
  }

  async writer(): Promise<BlobWriter> {
    const chunks: Uint8Array[] = [];
    let open = true;
    return {
      write: async (chunk) => {
        if (!open) throw new ContentsError('the writer is closed');
        chunks.push(Buffer.from(chunk));
      },
      commit: async () => {
        if (!open) throw new ContentsError('the writer is closed');
        open = false;
        const bytes = Buffer.concat(chunks);
        return { digest: this.#keep(bytes), size: bytes.length };
      },
      abort: async () => {
        open = false;
        chunks.length = 0;
      },
    };
  }

  async put(bytes: Uint8Array): Promise<Digest> {
    return this.#keep(Buffer.from(bytes));
  }

  async putMany(blobs: readonly Uint8Array[]): Promise<Digest[]> {
    return blobs.map((bytes) => this.#keep(Buffer.from(bytes)));
  }

  async adopt(path: string, file: { digest: Digest; size: number }): Promise<void> {
    const bytes = await readFile(path);
    const digest = digestOf(bytes);
    if (digest !== file.digest) throw new DigestMismatchError(file.digest, digest);
    this.#keep(bytes);
  }

  read(digest: Digest, range: { offset?: number; length?: number } = {}): Readable {
    const blob = this.#blobs.get(digest);
    const offset = range.offset ?? 0;
    return Readable.from(
      (async function* () {
        if (blob === undefined) throw new BlobMissingError(digest);
        const part = blob.bytes.subarray(offset, offset + (range.length ?? blob.bytes.length));
        if (part.length > 0) yield part;
      })(),
      { objectMode: false },
    );
  }

  async bytes(digest: Digest): Promise<Buffer> {
    const blob = this.#blobs.get(digest);
    if (blob === undefined) throw new BlobMissingError(digest);
    return blob.bytes;
  }

  async bytesMany(digests: readonly Digest[]): Promise<Buffer[]> {
    return await Promise.all(digests.map((digest) => this.bytes(digest)));
  }

  localPath(_digest: Digest): string {
    throw new ContentsError('blobs in memory have no path');
  }

  async executablePath(_digest: Digest): Promise<string> {
    throw new ContentsError('blobs in memory have no path');
  }

  async place(): Promise<FailedPlacement[]> {
    throw new ContentsError('blobs in memory have no path');
  }

  async durable(): Promise<void> {
    // Memory is as durable as it gets.
  }

  partial(digest: Digest, size: number, scope = ''): PartialBlob {
    const key = `${digest}:${scope}`;
    const offset = async (): Promise<number> => this.#partials.get(key)?.bytes.length ?? 0;
    return {
      offset,
      append: async (from, source) => {
        if (this.#appending.has(key)) throw new BlobBusyError(`${digest} is being sent already`);
        this.#appending.add(key);
        try {
          const here = await offset();
          if (from !== here) throw new OffsetMismatchError(here, from);
          return await this.#append(key, digest, size, source);
        } finally {
          this.#appending.delete(key);
        }
      },
    };
  }

  async #append(
    key: string,
    digest: Digest,
    size: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<{ complete: boolean; offset: number }> {
    let bytes = this.#partials.get(key)?.bytes ?? Buffer.alloc(0);
    for await (const chunk of source) {
      if (bytes.length + chunk.length > size) {
        this.#partials.delete(key);
        throw new OffsetMismatchError(size, bytes.length + chunk.length);
      }
      bytes = Buffer.concat([bytes, chunk]);
      this.#partials.set(key, { bytes, modifiedAt: this.#now() });
    }
    if (bytes.length < size) return { complete: false, offset: bytes.length };
    this.#partials.delete(key);
    const actual = digestOf(bytes);
    if (actual !== digest) throw new DigestMismatchError(digest, actual);
    this.#keep(bytes);
    return { complete: true, offset: size };
  }

  async spool(source: AsyncIterable<Uint8Array>): Promise<SpooledFile> {
    const directory = await mkdtemp(join(tmpdir(), 'sheaf-spool-'));
    const path = join(directory, 'spooled');
    const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
    try {
      const file = createWriteStream(path);
      await pipeline(source, file);
      return { path, size: file.bytesWritten, remove };
    } catch (error) {
      await remove();
      throw error;
    }
  }

  async *list(): AsyncIterable<{ digest: Digest; size: number; modifiedAt: number }> {
    for (const [digest, { bytes, modifiedAt }] of this.#blobs)
      yield { digest, size: bytes.length, modifiedAt };
  }

  async delete(digest: Digest, options: { olderThan?: number } = {}): Promise<boolean> {
    const blob = this.#blobs.get(digest);
    if (blob !== undefined && options.olderThan !== undefined && blob.modifiedAt >= options.olderThan)
      return false;
    this.#blobs.delete(digest);
    return true;
  }

  async sweep(olderThan: number): Promise<{ removed: number }> {
    let removed = 0;
    for (const [key, { modifiedAt }] of this.#partials) {
      if (modifiedAt >= olderThan || this.#appending.has(key)) continue;
      this.#partials.delete(key);
      removed += 1;
    }
    return { removed };
  }

  async *check(): AsyncIterable<{ digest: Digest; problem: string }> {
    for (const [digest, { bytes }] of this.#blobs) {
      const actual = digestOf(bytes);
      if (actual !== digest) yield { digest, problem: `its bytes have the digest ${actual}` };
    }
  }

  async close(): Promise<void> {
    // Nothing is held but memory.
  }

  #keep(bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    const known = this.#blobs.get(digest);
    if (known === undefined) this.#blobs.set(digest, { bytes, modifiedAt: this.#now() });
    else known.modifiedAt = this.#now();
    return digest;
  }
}
