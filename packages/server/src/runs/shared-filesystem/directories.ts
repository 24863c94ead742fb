/*
 * The directory that the server and some workers see under one path (execution.md §24): contents laid out for runs, and the
 * directories in which commands run. Only this file knows what is where in it.
 */
import { materialise, type BlobStore, type Entry } from '@sheaf/trees';
import { renameSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../files/error-code.ts';

/** One attempt of a run. */
export interface Attempt {
  readonly uuid: string;
  readonly epoch: number;
}

/** What runs still need here. */
export interface Needed {
  readonly attempts: readonly Attempt[];
  /** Runs whose next attempt goes on in the directory of the last. */
  readonly resumable: ReadonlySet<string>;
  /** Names of laid-out contents. */
  readonly contents: ReadonlySet<string>;
}

type Secret = (length: number) => string;

/** Laid-out contents that no run uses stay this long, for the next run that wants them, in milliseconds. */
const lingering = 10 * 60 * 1000;
/** What was begun and is still not finished after this time belongs to a crash. */
const unfinishedFor = 60 * 60 * 1000;

export class SharedDirectories {
  /** By its text a worker knows that what it sees under the path is this very directory. */
  readonly marker: { readonly path: string; readonly text: string };
  readonly #root: string;
  readonly #store: BlobStore;
  readonly #secret: Secret;
  readonly #layingOut = new Map<string, Promise<void>>();
  /** How many runs that are being prepared need the contents. */
  readonly #wanted = new Map<string, number>();

  private constructor(root: string, store: BlobStore, secret: Secret, marker: string) {
    this.#root = root;
    this.#store = store;
    this.#secret = secret;
    this.marker = { path: join(root, 'marker'), text: marker };
  }

  /** Makes the directory where there is none. Workers of other users of this machine may enter it, if they may get there. */
  static async open(root: string, store: BlobStore, secret: Secret): Promise<SharedDirectories> {
    for (const name of ['contents', 'runs', 'ended']) await mkdir(join(root, name), { recursive: true });
    try {
      await writeFile(join(root, 'marker'), secret(32), { flag: 'wx', mode: 0o644 });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    return new SharedDirectories(root, store, secret, await readFile(join(root, 'marker'), 'utf8'));
  }

  /**
   * Puts contents in place, hard links to the store's files where possible; runs that want the same share them.
   * @returns where they are, and their name: the run's record keeps it. To be `release`d once that is written.
   */
  async layOut(entry: Exclude<Entry, { kind: 'link' }>): Promise<{ path: string; name: string }> {
    const name = nameOf(entry);
    this.#wanted.set(name, (this.#wanted.get(name) ?? 0) + 1);
    const directory = join(this.#root, 'contents', name);
    try {
      if (await touched(directory)) return { path: join(directory, 'root'), name };
      const work = this.#layingOut.get(name) ?? this.#make(entry, directory);
      this.#layingOut.set(name, work);
      await work;
      return { path: join(directory, 'root'), name };
    } catch (error) {
      this.release(name);
      throw error;
    } finally {
      this.#layingOut.delete(name);
    }
  }

  release(name: string): void {
    const left = (this.#wanted.get(name) ?? 0) - 1;
    if (left > 0) this.#wanted.set(name, left);
    else this.#wanted.delete(name);
  }

  /** Makes the directory of an attempt: empty, or what the attempt before it has left. */
  async makeRun(attempt: Attempt, { resumes }: { resumes: boolean }): Promise<string> {
    const path = this.#run(attempt);
    const before = resumes ? await this.#newestBefore(attempt) : undefined;
    if (before !== undefined) await rename(before, path);
    await mkdir(path, { recursive: true, mode: 0o770 });
    return path;
  }

  /**
   * Takes the directory of an attempt that has ended away from its worker: what still wants to write there does not find it.
   * @returns undefined where there is no such directory
   */
  async takeEnded(attempt: Attempt): Promise<string | undefined> {
    const path = join(this.#root, 'ended', attemptName(attempt));
    try {
      await rename(this.#run(attempt), path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      // A server before this one may have taken it, and then have died.
      if ((await modifiedAt(path)) === undefined) return undefined;
    }
    await chmod(path, 0o700);
    return path;
  }

  async removeEnded(attempt: Attempt): Promise<void> {
    await rm(join(this.#root, 'ended', attemptName(attempt)), { recursive: true, force: true });
  }

  /**
   * Removes what nobody needs: directories of other attempts than the given, and contents that none of them uses.
   * @param whatIsNeeded asked after the directories were looked over, so that what is made meanwhile is safe
   * @returns how many directories went; what cannot be removed is told and tried again the next time
   */
  async sweep(
    whatIsNeeded: () => Promise<Needed>,
    now: number,
    failed: (path: string, error: unknown) => void,
  ): Promise<number> {
    const there = await Promise.all(
      ['runs', 'ended', 'contents'].map(async (place) => await readdir(join(this.#root, place))),
    );
    const [runs = [], ended = [], contents = []] = there;
    const needed = await whatIsNeeded();
    const attempts = new Set(needed.attempts.map(attemptName));
    const isOver = (name: string) =>
      !attempts.has(name) && !needed.resumable.has(name.slice(0, name.indexOf('.')));
    const doomed = [
      ...runs.filter(isOver).map((name) => join(this.#root, 'runs', name)),
      ...ended.filter(isOver).map((name) => join(this.#root, 'ended', name)),
    ];
    for (const name of contents) {
      const unused = await this.#takeUnused(name, needed.contents, now);
      if (unused !== undefined) doomed.push(unused);
    }
    let removed = 0;
    for (const path of doomed) {
      try {
        await rm(path, { recursive: true, force: true });
        removed += 1;
      } catch (error) {
        failed(path, error);
      }
    }
    return removed;
  }

  /** Takes contents out of sight that nobody uses, so that nobody is given them half removed. */
  async #takeUnused(name: string, used: ReadonlySet<string>, now: number): Promise<string | undefined> {
    const path = join(this.#root, 'contents', name);
    const unfinished = name.startsWith('.');
    const since = await modifiedAt(path);
    if (used.has(name) || since === undefined || since > now - (unfinished ? unfinishedFor : lingering)) {
      return undefined;
    }
    if (unfinished) return path;
    const out = join(this.#root, 'contents', `.removed-${this.#secret(16)}`);
    // With nothing in between: whoever wants them from now on does not find them.
    if (this.#wanted.has(name)) return undefined;
    renameSync(path, out);
    return out;
  }

  async #make(entry: Entry, directory: string): Promise<void> {
    const temporary = join(this.#root, 'contents', `.unfinished-${this.#secret(16)}`);
    try {
      await mkdir(temporary);
      await materialise(this.#store, entry, join(temporary, 'root'));
      await rename(temporary, directory);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      // Another server on this directory was quicker.
      if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error;
    }
  }

  async #newestBefore({ uuid, epoch }: Attempt): Promise<string | undefined> {
    const names = await readdir(join(this.#root, 'runs'));
    const epochs = names
      .filter((name) => name.startsWith(`${uuid}.`))
      .map((name) => Number(name.slice(uuid.length + 1)))
      .filter((other) => other < epoch);
    return epochs.length === 0 ? undefined : this.#run({ uuid, epoch: Math.max(...epochs) });
  }

  #run(attempt: Attempt): string {
    return join(this.#root, 'runs', attemptName(attempt));
  }
}

function attemptName({ uuid, epoch }: Attempt): string {
  return `${uuid}.${epoch}`;
}

/** Everything that makes a difference on disk is in it. */
function nameOf(entry: Exclude<Entry, { kind: 'link' }>): string {
  if (entry.kind === 'tree') return entry.digest;
  return `${entry.digest}.${entry.executable ? 'program' : 'file'}`;
}

/** Notes that the contents are used now. False where they are not there. */
async function touched(path: string): Promise<boolean> {
  try {
    const now = new Date();
    await utimes(path, now, now);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Undefined where there is nothing. */
async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
