/** A store of plain files: hard-linkable, readable without this program, shared by every process on the filesystem. */
import { randomUUID } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { chmod, constants, copyFile, mkdir, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BlobMissingError } from '../../errors.ts';
import type { Digest } from '../../tree/entry.ts';
import type {
  BlobStore,
  BlobWriter,
  FailedPlacement,
  PartialBlob,
  Placement,
  SpooledFile,
} from '../blob-store.ts';
import { BlobThread } from './blob-thread.ts';
import type { ThreadPlacement } from './blob-thread-body.ts';
import { DirectoryWriter } from './directory-writer.ts';
import { Durability } from './durability.ts';
import { checkBlob } from './check-blob.ts';
import { Layout, soundSize } from './layout.ts';
import { linkOrCopy } from './link-or-copy.ts';
import { readChunks, readSize } from './read-chunks.ts';
import { removeOld } from './remove-old.ts';
import { PartialFile, partialName } from './partial-file.ts';
import { errorCode, translateStorageError } from './storage-error.ts';

/** How many small blobs the thread is asked for at once. */
const batch = 512;

export class DirectoryStore implements BlobStore {
  readonly capabilities = { localPaths: true } as const;
  readonly root: string;
  readonly #layout: Layout;
  readonly #thread: BlobThread;
  readonly #durability: Durability;
  readonly #temporaries = new Set<string>();
  readonly #appending = new Set<string>();

  private constructor(layout: Layout) {
    this.root = layout.root;
    this.#layout = layout;
    this.#thread = new BlobThread({ blobs: layout.blobs, temp: layout.temp });
    this.#durability = new Durability(layout.root);
  }

  /** Opens a store, and makes it where there is none. With `readOnly` nothing is made: for reading somebody else's. */
  static async open(root: string, options: { readOnly?: boolean } = {}): Promise<DirectoryStore> {
    const layout = new Layout(resolve(root));
    if (options.readOnly !== true) await layout.create();
    return new DirectoryStore(layout);
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.size(digest)) !== undefined;
  }

  async size(digest: Digest): Promise<number | undefined> {
    try {
      return soundSize(digest, (await stat(this.#layout.blob(digest))).size);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async claim(digests: readonly Digest[]): Promise<(number | undefined)[]> {
    const sizes: (number | undefined)[] = [];
    for (const part of batches(digests)) {
      const answered = await this.#thread.run<'claim'>({ kind: 'claim', digests: part });
      for (const [index, digest] of part.entries()) sizes.push(soundSize(digest, answered[index] ?? -1));
    }
    return sizes;
  }

  async writer(): Promise<BlobWriter> {
    return new DirectoryWriter({
      thread: this.#thread,
      put: (bytes) => this.put(bytes),
      temporary: () => this.#temporary(),
      release: (path) => this.#temporaries.delete(path),
      place: (path, digest, size) => this.#place(path, digest, size),
    });
  }

  async put(bytes: Uint8Array): Promise<Digest> {
    const [digest] = await this.putMany([bytes]);
    if (digest === undefined) throw new Error('the store thread answered no digest');
    return digest;
  }

  async putMany(blobs: readonly Uint8Array[]): Promise<Digest[]> {
    const lengths = blobs.map((bytes) => bytes.length);
    const together = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
    let at = 0;
    for (const bytes of blobs) {
      together.set(bytes, at);
      at += bytes.length;
    }
    const moved = together.buffer;
    const { digests, fresh } = await this.#thread.run<'put'>({ kind: 'put', bytes: moved, lengths }, [moved]);
    this.#durability.note(fresh.map((index) => this.#layout.blob(digests[index] ?? '')));
    return digests;
  }

  async adopt(path: string, file: { digest: Digest; size: number }): Promise<void> {
    if ((await this.claim([file.digest]))[0] === file.size) return;
    const temporary = this.#temporary();
    try {
      await linkOrCopy(path, temporary);
      await chmod(temporary, 0o444);
      await this.#place(temporary, file.digest, file.size);
    } catch (error) {
      await rm(temporary, { force: true });
      throw translateStorageError(error);
    } finally {
      this.#temporaries.delete(temporary);
    }
  }

  read(digest: Digest, range: { offset?: number; length?: number } = {}): Readable {
    return Readable.from(readChunks(this.#layout.blob(digest), digest, range), {
      objectMode: false,
      highWaterMark: readSize,
    });
  }

  async bytes(digest: Digest): Promise<Buffer> {
    const [bytes] = await this.bytesMany([digest]);
    if (bytes === undefined) throw new BlobMissingError(digest);
    return bytes;
  }

  async bytesMany(digests: readonly Digest[]): Promise<Buffer[]> {
    const found: Buffer[] = [];
    for (const part of batches(digests)) {
      const { bytes, lengths } = await this.#thread.run<'read'>({ kind: 'read', digests: part });
      let at = 0;
      for (const [index, digest] of part.entries()) {
        const length = soundSize(digest, lengths[index] ?? -1);
        if (length === undefined) throw new BlobMissingError(digest);
        found.push(Buffer.from(bytes, at, length));
        at += length;
      }
    }
    return found;
  }

  localPath(digest: Digest): string {
    return this.#layout.blob(digest);
  }

  async executablePath(digest: Digest): Promise<string> {
    const path = this.#layout.executable(digest);
    if (existsSync(path)) return path;
    const temporary = this.#temporary();
    try {
      await mkdir(dirname(path), { recursive: true });
      await copyFile(this.#layout.blob(digest), temporary, constants.COPYFILE_FICLONE);
      await chmod(temporary, 0o555);
      await rename(temporary, path);
      return path;
    } catch (error) {
      await rm(temporary, { force: true });
      if (errorCode(error) === 'ENOENT') throw new BlobMissingError(digest, { cause: error });
      throw translateStorageError(error);
    } finally {
      this.#temporaries.delete(temporary);
    }
  }

  async place(placements: readonly Placement[]): Promise<FailedPlacement[]> {
    const job = placements.map((placement) => this.#forThread(placement));
    return await this.#thread.run<'place'>({ kind: 'place', placements: job });
  }

  async durable(): Promise<void> {
    await this.#durability.flush();
  }

  partial(digest: Digest, size: number, scope = ''): PartialBlob {
    const host = {
      thread: this.#thread,
      appending: this.#appending,
      place: async (path: string, placed: Digest, placedSize: number) =>
        await this.#place(path, placed, placedSize),
    };
    return new PartialFile(host, join(this.#layout.partial, partialName(digest, scope)), { digest, size });
  }

  async spool(source: AsyncIterable<Uint8Array>): Promise<SpooledFile> {
    const path = this.#temporary();
    const remove = async (): Promise<void> => {
      await rm(path, { force: true });
      this.#temporaries.delete(path);
    };
    try {
      const file = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: 1024 * 1024 });
      await pipeline(source, file);
      return { path, size: file.bytesWritten, remove };
    } catch (error) {
      await remove();
      throw translateStorageError(error);
    }
  }

  async *list(): AsyncGenerator<{ digest: Digest; size: number; modifiedAt: number }> {
    for (const fan of this.#layout.fans) {
      const { digests, sizes, times } = await this.#thread.run<'list'>({ kind: 'list', fan });
      for (const [index, digest] of digests.entries()) {
        yield { digest, size: sizes[index] ?? 0, modifiedAt: times[index] ?? 0 };
      }
    }
  }

  async delete(digest: Digest, options: { olderThan?: number } = {}): Promise<boolean> {
    const path = this.#layout.blob(digest);
    try {
      if (options.olderThan !== undefined && (await stat(path)).mtimeMs >= options.olderThan) return false;
      await unlink(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
    await rm(this.#layout.executable(digest), { force: true });
    return true;
  }

  async sweep(olderThan: number): Promise<{ removed: number }> {
    const inUse = (path: string): boolean => this.#temporaries.has(path) || this.#appending.has(path);
    let removed = 0;
    for (const directory of [this.#layout.temp, this.#layout.partial]) {
      removed += await removeOld(directory, olderThan, inUse);
    }
    return { removed };
  }

  async *check(): AsyncGenerator<{ digest: Digest; problem: string }> {
    // A thread of its own, so that reading everything does not hold up those who write.
    const thread = new BlobThread({ blobs: this.#layout.blobs, temp: this.#layout.temp });
    try {
      for await (const { digest } of this.list()) {
        const problem = await checkBlob(thread, digest);
        if (problem !== undefined) yield { digest, problem };
      }
    } finally {
      await thread.close();
    }
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }

  #forThread(placement: Placement): ThreadPlacement {
    const { kind, path } = placement;
    if (kind === 'directory') return { kind, path };
    if (kind === 'link') return { kind: 'symbolic', path, target: placement.target };
    const { digest, executable } = placement;
    return {
      kind: 'hard',
      path,
      target: executable ? this.#layout.executable(digest) : this.#layout.blob(digest),
    };
  }

  #temporary(): string {
    const path = join(this.#layout.temp, `${process.pid}-${randomUUID()}`);
    this.#temporaries.add(path);
    return path;
  }

  async #place(path: string, digest: Digest, size: number): Promise<void> {
    if ((await this.claim([digest]))[0] === size) {
      await rm(path, { force: true });
      return;
    }
    await chmod(path, 0o444);
    await utimes(path, new Date(), new Date());
    await rename(path, this.#layout.blob(digest));
    this.#durability.note([this.#layout.blob(digest)]);
  }
}

function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += batch) yield items.slice(at, at + batch);
}
