/**
 * A file that is hashed while it is written: bytes are gathered in a few shared buffers; while one is written by the
 * filesystem and hashed by the store's thread, the next one fills. Memory stays flat and the event loop only copies.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { BlobThread } from './blob-thread.ts';
import { translateStorageError } from './storage-error.ts';

const bufferSize = 1024 * 1024;
const buffers = 8;
/** How much the kernel may gather before it is told to write it out, while the next bytes are still coming. */
const flushEvery = 64 * 1024 * 1024;

interface Piece {
  readonly shared: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  /** Settles when the piece is written and hashed; never rejects. */
  done: Promise<void>;
}

export class HashedFile {
  readonly #thread: BlobThread;
  readonly #file: FileHandle;
  readonly #stream: number;
  readonly #idle: Piece[] = [];
  readonly #busy: Piece[] = [];
  #made = 0;
  #filling: Piece | undefined;
  #filled = 0;
  #position: number;
  #failure: Error | undefined;
  #flushed: number;
  #flushing: Promise<void> | undefined;

  private constructor(thread: BlobThread, file: FileHandle, position: number) {
    this.#thread = thread;
    this.#file = file;
    this.#stream = thread.newStream();
    this.#position = position;
    this.#flushed = position;
  }

  /** Opens `path` to write on at `start`; what is before it is read and hashed first. */
  static async open(thread: BlobThread, path: string, flags: 'wx' | 'r+', start = 0): Promise<HashedFile> {
    const file = await open(path, flags, 0o444);
    const hashed = new HashedFile(thread, file, start);
    try {
      await hashed.#hashPrefix(start);
    } catch (error) {
      await hashed.close();
      throw error;
    }
    return hashed;
  }

  /** Bytes in the file and on their way into it. */
  get size(): number {
    return this.#position + this.#filled;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let at = 0;
    while (at < chunk.length) {
      this.#throwFailure();
      this.#filling ??= await this.#freePiece();
      const piece = this.#filling;
      const part = chunk.subarray(at, at + bufferSize - this.#filled);
      piece.bytes.set(part, this.#filled);
      at += part.length;
      this.#filled += part.length;
      if (this.#filled === bufferSize) this.#send();
    }
  }

  /** Waits until all that was written is in the file. */
  async flush(): Promise<void> {
    this.#send();
    while (this.#busy[0] !== undefined) await this.#oldestDone(this.#busy[0]);
    this.#throwFailure();
  }

  /** Flushes, and answers the digest of the whole file. Nothing can be written after it. */
  async digest(): Promise<string> {
    await this.flush();
    return await this.#thread.run<'digest'>({ kind: 'digest', stream: this.#stream });
  }

  /** Lets go of the file, after whatever is on its way; safe to call twice. */
  async close(): Promise<void> {
    for (const piece of this.#busy) await piece.done;
    await this.#flushing;
    await this.#file.close();
    await this.#thread.run<'forget'>({ kind: 'forget', stream: this.#stream });
  }

  async #hashPrefix(length: number): Promise<void> {
    const shared = new SharedArrayBuffer(bufferSize);
    const bytes = new Uint8Array(shared);
    for (let at = 0; at < length;) {
      const { bytesRead } = await this.#file.read(bytes, 0, Math.min(bufferSize, length - at), at);
      if (bytesRead === 0) throw new Error('a partial blob became shorter');
      await this.#thread.run<'hash'>({
        kind: 'hash',
        stream: this.#stream,
        bytes: shared,
        length: bytesRead,
      });
      at += bytesRead;
    }
  }

  async #freePiece(): Promise<Piece> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#made < buffers) {
      this.#made += 1;
      const shared = new SharedArrayBuffer(bufferSize);
      return { shared, bytes: new Uint8Array(shared), done: Promise.resolve() };
    }
    const [oldest] = this.#busy;
    if (oldest === undefined) throw new Error('all buffers are lost');
    await this.#oldestDone(oldest);
    this.#throwFailure();
    return await this.#freePiece();
  }

  async #oldestDone(oldest: Piece): Promise<void> {
    await oldest.done;
    if (this.#busy[0] !== oldest) return;
    this.#busy.shift();
    this.#idle.push(oldest);
  }

  #send(): void {
    const piece = this.#filling;
    const length = this.#filled;
    if (piece === undefined) return;
    this.#filling = undefined;
    this.#filled = 0;
    const position = this.#position;
    this.#position += length;
    piece.done = Promise.all([
      this.#writeFully(piece.bytes.subarray(0, length), position),
      this.#thread.run<'hash'>({ kind: 'hash', stream: this.#stream, bytes: piece.shared, length }),
    ]).then(
      () => undefined,
      (error: unknown) => {
        this.#failure ??= translateStorageError(error);
      },
    );
    this.#busy.push(piece);
    this.#flushBehind();
  }

  /** Without it everything would wait for `durable` at the end, with the disk idle until then. */
  #flushBehind(): void {
    if (this.#flushing !== undefined || this.#position - this.#flushed < flushEvery) return;
    this.#flushed = this.#position;
    this.#flushing = this.#file.datasync().then(
      () => {
        this.#flushing = undefined;
      },
      (error: unknown) => {
        this.#failure ??= translateStorageError(error);
      },
    );
  }

  async #writeFully(bytes: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, position + at);
      at += bytesWritten;
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
