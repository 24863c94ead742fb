/** Streams one blob into a directory store: in memory while it is small, then into a temporary file. */
import { rm } from 'node:fs/promises';
import { ContentsError } from '../../errors.ts';
import type { Digest } from '../../tree/entry.ts';
import type { BlobWriter } from '../blob-store.ts';
import type { BlobThread } from './blob-thread.ts';
import { HashedFile } from './hashed-file.ts';

export interface WriterHost {
  readonly thread: BlobThread;
  put(bytes: Uint8Array): Promise<Digest>;
  /** Names a new temporary file, which `sweep` leaves alone until it is released. */
  temporary(): string;
  release(path: string): void;
  /** Moves a finished file to its place among the blobs. */
  place(path: string, digest: Digest, size: number): Promise<void>;
}

const keptInMemory = 256 * 1024;

export class DirectoryWriter implements BlobWriter {
  readonly #host: WriterHost;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #file: { readonly path: string; readonly hashed: HashedFile } | undefined;
  #open = true;

  constructor(host: WriterHost) {
    this.#host = host;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#open) throw new ContentsError('the writer is closed');
    this.#size += chunk.length;
    if (this.#file === undefined) {
      if (this.#size <= keptInMemory) {
        this.#chunks.push(Buffer.from(chunk));
        return;
      }
      this.#file = await this.#openFile();
      for (const kept of this.#chunks) await this.#file.hashed.write(kept);
      this.#chunks = [];
    }
    await this.#file.hashed.write(chunk);
  }

  async commit(): Promise<{ digest: Digest; size: number }> {
    if (!this.#open) throw new ContentsError('the writer is closed');
    this.#open = false;
    const file = this.#file;
    if (file === undefined) {
      return { digest: await this.#host.put(Buffer.concat(this.#chunks)), size: this.#size };
    }
    try {
      const digest = await file.hashed.digest();
      await file.hashed.close();
      await this.#host.place(file.path, digest, this.#size);
      this.#host.release(file.path);
      this.#file = undefined;
      return { digest, size: this.#size };
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    this.#open = false;
    this.#chunks = [];
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    await file.hashed.close();
    await rm(file.path, { force: true });
    this.#host.release(file.path);
  }

  async #openFile(): Promise<{ path: string; hashed: HashedFile }> {
    const path = this.#host.temporary();
    try {
      return { path, hashed: await HashedFile.open(this.#host.thread, path, 'wx') };
    } catch (error) {
      this.#host.release(path);
      throw error;
    }
  }
}
