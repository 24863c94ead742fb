/** Walks a directory on disk and turns it into a draft tree; what becomes of each file's bytes is its caller's affair. */
import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
  type Stats,
} from 'node:fs';
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { ContentsError, FileChangedError, InvalidNameError } from '../errors.ts';
import { smallBlob } from '../stores/blob-store.ts';
import { Breather } from '../tree/breathe.ts';
import { emptyDraft, type DraftFile, type DraftTree } from '../tree/draft.ts';
import { decodeName, nameProblem, targetProblem } from '../tree/names.ts';
import { excludePatterns, type ExcludePath } from './exclude.ts';
import { isSameVersion } from './hash-file.ts';

export interface ScanOptions {
  /** Leaves out paths, with all below them; see `excludePatterns`. */
  readonly exclude?: ExcludePath;
  /** Name of files whose lines are patterns that leave out entries of their own directory (tar's `--exclude-ignore`). */
  readonly excludeIgnore?: string;
  /** Takes what links lead to instead of the links. */
  readonly followLinks?: boolean;
  /** Exact paths, relative to the directory, that are left out: mount points of a run, say. */
  readonly skip?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly files: number; readonly bytes: number }) => void;
  /** Told of sockets, pipes and devices, which contents cannot hold and which are left out. */
  readonly onLeftOut?: (path: string, reason: string) => void;
  /**
   * Told of entries that contents cannot hold because of their name, their target or the length of their path. They are left out
   * then; without it they are an error.
   */
  readonly onRefused?: (path: string, reason: string) => void;
}

export interface ScannedFile {
  readonly path: string;
  readonly draft: DraftFile;
  readonly stat: Stats;
}

export interface FileTaker {
  /** Takes the bytes of a small file; they lie in a buffer that is used again. */
  small(file: ScannedFile, bytes: Buffer): Promise<void> | undefined;
  large(file: ScannedFile): Promise<void>;
}

export async function scanDirectory(
  root: string,
  options: ScanOptions,
  taker: FileTaker,
): Promise<DraftTree> {
  const scan = new Scan(root, options, taker);
  return await scan.run();
}

interface Pending {
  /** Relative to the root. */
  readonly path: string;
  readonly draft: DraftTree;
  /** Device and inode of the directories above, to notice links that lead back into them. */
  readonly above: readonly string[];
}

class Scan {
  readonly #root: string;
  readonly #options: ScanOptions;
  readonly #taker: FileTaker;
  readonly #buffer = Buffer.allocUnsafeSlow(smallBlob + 1);
  readonly #breather = new Breather();
  readonly #pending: Pending[] = [];
  #files = 0;
  #bytes = 0;

  constructor(root: string, options: ScanOptions, taker: FileTaker) {
    this.#root = root;
    this.#options = options;
    this.#taker = taker;
  }

  async run(): Promise<DraftTree> {
    const draft = emptyDraft();
    this.#pending.push({ path: '', draft, above: [] });
    for (;;) {
      const next = this.#pending.pop();
      if (next === undefined) break;
      await this.#directory(next);
    }
    this.#report();
    return draft;
  }

  async #directory({ path, draft, above }: Pending): Promise<void> {
    const absolute = this.#absolute(path);
    const ignored = this.#ignored(absolute);
    const inside =
      this.#options.followLinks === true ? [...above, this.#identity(absolute, path, above)] : above;
    for (const name of this.#names(absolute, path)) {
      const below = path === '' ? name : `${path}/${name}`;
      if (this.#options.skip?.has(below) === true || this.#options.exclude?.(below) === true) continue;
      if (ignored?.(name) === true) continue;
      await this.#storable(name, below, draft, inside);
      if (this.#breather.due) {
        this.#options.signal?.throwIfAborted();
        this.#report();
        await this.#breather.rest();
      }
    }
  }

  /** Takes the entry, or says why it cannot be stored. */
  async #storable(name: string, path: string, parent: DraftTree, above: readonly string[]): Promise<void> {
    const problem = nameProblem(name);
    if (problem !== undefined) {
      this.#refuse(path, problem, new InvalidNameError(path, problem));
      return;
    }
    try {
      await this.#entry(name, path, parent, above);
    } catch (error) {
      if (!(error instanceof InvalidNameError) && !isTooLong(error)) throw error;
      this.#refuse(path, error instanceof InvalidNameError ? error.reason : tooLong, error);
    }
  }

  async #entry(name: string, path: string, parent: DraftTree, above: readonly string[]): Promise<void> {
    const absolute = this.#absolute(path);
    const stat = this.#options.followLinks === true ? statSync(absolute) : lstatSync(absolute);
    if (stat.isSymbolicLink()) {
      const target = decodeTarget(readlinkSync(absolute, { encoding: 'buffer' }), path);
      parent.children.set(name, { kind: 'link', target });
      this.#files += 1;
    } else if (stat.isDirectory()) {
      const draft = emptyDraft();
      parent.children.set(name, draft);
      this.#pending.push({ path, draft, above });
    } else if (stat.isFile()) {
      parent.children.set(name, await this.#file(absolute, stat));
    } else {
      this.#options.onLeftOut?.(path, 'it is neither file, directory nor link');
    }
  }

  async #file(path: string, stat: Stats): Promise<DraftFile> {
    const draft: DraftFile = {
      kind: 'file',
      digest: undefined,
      size: stat.size,
      executable: (stat.mode & 0o100) !== 0,
    };
    const file: ScannedFile = { path, draft, stat };
    if (stat.size > smallBlob) {
      await this.#taker.large(file);
    } else {
      const taken = this.#taker.small(file, this.#read(path, stat));
      if (taken !== undefined) await taken;
    }
    this.#files += 1;
    this.#bytes += stat.size;
    return draft;
  }

  #read(path: string, stat: Stats): Buffer {
    const file = openSync(path, 'r');
    try {
      let length = 0;
      while (length <= stat.size) {
        const got = readSync(file, this.#buffer, length, stat.size + 1 - length, length);
        if (got === 0) break;
        length += got;
      }
      if (length !== stat.size || !isSameVersion(stat, fstatSync(file))) throw new FileChangedError(path);
      return this.#buffer.subarray(0, length);
    } finally {
      closeSync(file);
    }
  }

  /** Node puts U+FFFD where a name is no UTF-8; only then are the names read again as bytes, to say which one it is. */
  #names(directory: string, path: string): string[] {
    let names: string[];
    try {
      names = readdirSync(directory);
    } catch (error) {
      if (!isTooLong(error)) throw error;
      this.#refuse(path, tooLong, error);
      return [];
    }
    if (!names.some((name) => name.includes('\ufffd'))) return names;
    return readdirSync(directory, { encoding: 'buffer' }).flatMap((bytes) => {
      try {
        return [decodeName(bytes)];
      } catch (error) {
        if (!(error instanceof InvalidNameError)) throw error;
        const shown = bytes.toString();
        if (this.#options.exclude?.(path === '' ? shown : `${path}/${shown}`) === true) return [];
        this.#refuse(path === '' ? error.entry : `${path}/${error.entry}`, error.reason, error);
        return [];
      }
    });
  }

  #refuse(path: string, reason: string, error: unknown): void {
    if (this.#options.onRefused === undefined) throw error;
    this.#options.onRefused(path, reason);
  }

  #ignored(directory: string): ExcludePath | undefined {
    const name = this.#options.excludeIgnore;
    if (name === undefined) return undefined;
    const path = `${directory}/${name}`;
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
    const lines = readFileSync(path, 'utf8').split('\n');
    return excludePatterns(lines.filter((line) => line !== ''));
  }

  #identity(absolute: string, path: string, above: readonly string[]): string {
    const stat = statSync(absolute);
    const identity = `${stat.dev}:${stat.ino}`;
    if (above.includes(identity))
      throw new ContentsError(`${path} is a link that leads back to a directory above it`);
    return identity;
  }

  #absolute(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  #report(): void {
    this.#options.onProgress?.({ files: this.#files, bytes: this.#bytes });
  }
}

const tooLong = 'its path is too long';

function isTooLong(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENAMETOOLONG';
}

function decodeTarget(bytes: Buffer, path: string): string {
  let target: string;
  try {
    target = decodeName(bytes);
  } catch (error) {
    if (error instanceof InvalidNameError)
      throw new InvalidNameError(path, 'the target of the link is not valid UTF-8');
    throw error;
  }
  const problem = targetProblem(target);
  if (problem !== undefined) throw new InvalidNameError(path, problem);
  return target;
}
