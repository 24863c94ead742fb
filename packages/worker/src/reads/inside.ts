/**
 * Opens files and directories below a run directory, whose command may be changing it at this very moment: component by
 * component, each held open while the next is looked up in it, links never followed. Nothing outside can be reached.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';
import { ReadProblem } from './read-problem.ts';

/** Elsewhere than on Linux an open directory has no path; links are still refused, though not against a command that races. */
const hasDescriptorPaths = process.platform === 'linux';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

export class OpenDirectory implements AsyncDisposable {
  /** Relative to the run directory; empty for the run directory itself. */
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #location: string;

  private constructor(path: string, handle: FileHandle, location: string) {
    this.path = path;
    this.#handle = handle;
    this.#location = location;
  }

  static async root(directory: string): Promise<OpenDirectory> {
    return await OpenDirectory.#open('', directory);
  }

  static async #open(path: string, location: string): Promise<OpenDirectory> {
    const handle = await translated(path, () => open(location, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return new OpenDirectory(path, handle, hasDescriptorPaths ? `/proc/self/fd/${handle.fd}` : location);
  }

  async directory(name: string): Promise<OpenDirectory> {
    return await OpenDirectory.#open(this.below(name), this.#locate(name));
  }

  /** Opens an ordinary file. Without O_NONBLOCK a named pipe would hang the worker until somebody writes into it. */
  async file(name: string, flags: number = O_RDONLY, mode?: number): Promise<FileHandle> {
    return await translated(this.below(name), () =>
      open(this.#locate(name), flags | O_NOFOLLOW | O_NONBLOCK, mode),
    );
  }

  async stat(name: string): Promise<Stats> {
    return await translated(this.below(name), () => lstat(this.#locate(name)));
  }

  /** Gives an entry another name, in place of whatever has that. */
  async rename(name: string, next: string): Promise<void> {
    await translated(this.below(next), () => rename(this.#locate(name), this.#locate(next)));
  }

  async remove(name: string): Promise<void> {
    await rm(this.#locate(name), { force: true });
  }

  async ownStat(): Promise<Stats> {
    return await this.#handle.stat();
  }

  async names(): Promise<string[]> {
    return (await readdir(this.#location)).sort();
  }

  /** Path of an entry, relative to the run directory. */
  below(name: string): string {
    return this.path === '' ? name : `${this.path}/${name}`;
  }

  /** The target of a link. */
  async link(name: string): Promise<string> {
    return await translated(this.below(name), () => readlink(this.#locate(name)));
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #locate(name: string): string {
    return join(this.#location, name);
  }
}

/** @throws ReadProblem 404 where the way leads through something that is no directory, or does not exist. */
export async function openInside(root: string, components: readonly string[]): Promise<OpenDirectory> {
  let here = await OpenDirectory.root(root);
  for (const name of components) {
    const parent = here;
    try {
      here = await parent.directory(name);
    } finally {
      await parent.close();
    }
  }
  return here;
}

async function translated<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw problemOf(path === '' ? 'The run directory' : path, error) ?? error;
  }
}

function problemOf(path: string, error: unknown): ReadProblem | undefined {
  switch (systemCode(error)) {
    case 'ENOENT':
      return new ReadProblem(404, `${path} does not exist.`, { cause: error });
    case 'ELOOP':
      return new ReadProblem(404, `${path} is a link, which is not followed.`, { cause: error });
    case 'ENOTDIR':
      return new ReadProblem(404, `${path} is not a directory.`, { cause: error });
    case 'ENAMETOOLONG':
      return new ReadProblem(404, `${path.slice(0, 100)}… is longer than any name.`, { cause: error });
    case 'ENXIO':
      return new ReadProblem(404, `${path} is not a file.`, { cause: error });
    case 'EACCES':
    case 'EPERM':
      return new ReadProblem(403, `${path} may not be read by the worker.`, { cause: error });
    case undefined:
    default:
      return undefined;
  }
}
