/** Puts committed blobs on stable storage: one by one where they are few, the whole filesystem at once where they are many. */
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from './storage-error.ts';
import { syncPath } from './sync-path.ts';

const run = promisify(execFile);
/** Above this, one `syncfs` is cheaper than an `fsync` for each file and its directory. */
const few = 16;

export class Durability {
  readonly #root: string;
  #paths = new Set<string>();
  #many = false;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Notes files that were put in place and are not durable yet. */
  note(paths: readonly string[]): void {
    if (this.#many || this.#paths.size + paths.length > few) {
      this.#many = true;
      this.#paths.clear();
      return;
    }
    for (const path of paths) this.#paths.add(path);
  }

  /**
   * Returns once everything noted before the call is durable. Calls that come while a flush runs share the one after it,
   * because the running one may have started before their files were written.
   */
  async flush(): Promise<void> {
    this.#next ??= this.#after(this.#running);
    await this.#next;
  }

  async #after(running: Promise<void>): Promise<void> {
    await Promise.allSettled([running]);
    this.#next = undefined;
    this.#running = this.#flushNow();
    await this.#running;
  }

  async #flushNow(): Promise<void> {
    const paths = [...this.#paths];
    const many = this.#many;
    this.#paths = new Set();
    this.#many = false;
    try {
      if (many) await syncFilesystem(this.#root);
      else await syncFiles(paths);
    } catch (error) {
      this.#many ||= many;
      this.note(paths);
      throw error;
    }
  }
}

async function syncFiles(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => syncPath(path)));
  await Promise.all([...new Set(paths.map((path) => dirname(path)))].map((path) => syncPath(path)));
}

// Only coreutils knows `-f`; elsewhere plain `sync` writes out every filesystem.
async function syncFilesystem(root: string): Promise<void> {
  try {
    await run('sync', ['-f', root]);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw error;
    await run('sync', []);
  }
}
