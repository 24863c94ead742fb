/** A blob that arrives in pieces: kept in one file from try to try, verified when it is whole. */
import { open, rm, stat } from 'node:fs/promises';
import { BlobBusyError, ContentsError, DigestMismatchError, OffsetMismatchError } from '../../errors.ts';
import type { Digest } from '../../tree/entry.ts';
import type { PartialBlob } from '../blob-store.ts';
import type { BlobThread } from './blob-thread.ts';
import { HashedFile } from './hashed-file.ts';
import { errorCode } from './storage-error.ts';

export interface PartialHost {
  readonly thread: BlobThread;
  place(path: string, digest: Digest, size: number): Promise<void>;
  /** Paths being appended to right now. */
  readonly appending: Set<string>;
}

export function partialName(digest: Digest, scope: string): string {
  if (!/^[\w.-]*$/.test(scope)) throw new ContentsError(`${JSON.stringify(scope)} cannot name a sender`);
  return scope === '' ? digest : `${digest}-${scope}`;
}

export class PartialFile implements PartialBlob {
  readonly #host: PartialHost;
  readonly #path: string;
  readonly #digest: Digest;
  readonly #size: number;

  constructor(host: PartialHost, path: string, blob: { digest: Digest; size: number }) {
    this.#host = host;
    this.#path = path;
    this.#digest = blob.digest;
    this.#size = blob.size;
  }

  async offset(): Promise<number> {
    try {
      return (await stat(this.#path)).size;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return 0;
      throw error;
    }
  }

  async append(
    offset: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<{ complete: boolean; offset: number }> {
    if (this.#host.appending.has(this.#path))
      throw new BlobBusyError(`${this.#digest} is being sent already`);
    this.#host.appending.add(this.#path);
    try {
      const here = await this.offset();
      if (offset !== here) throw new OffsetMismatchError(here, offset);
      return await this.#append(offset, source);
    } finally {
      this.#host.appending.delete(this.#path);
    }
  }

  async #append(
    offset: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<{ complete: boolean; offset: number }> {
    // Created writable once; opened by its mode no more, because 0444 keeps everybody but root from opening it again.
    await (await open(this.#path, 'a', 0o644)).close();
    const file = await HashedFile.open(this.#host.thread, this.#path, 'r+', offset);
    let digest: Digest;
    try {
      try {
        await this.#copy(file, source);
      } finally {
        await file.flush();
      }
      if (file.size < this.#size) return { complete: false, offset: file.size };
      digest = await file.digest();
    } finally {
      await file.close();
    }
    if (digest !== this.#digest) {
      await rm(this.#path, { force: true });
      throw new DigestMismatchError(this.#digest, digest);
    }
    await this.#host.place(this.#path, digest, this.#size);
    return { complete: true, offset: this.#size };
  }

  async #copy(file: HashedFile, source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of source) {
      if (file.size + chunk.length > this.#size) {
        await rm(this.#path, { force: true });
        throw new OffsetMismatchError(this.#size, file.size + chunk.length);
      }
      await file.write(chunk);
    }
  }
}
