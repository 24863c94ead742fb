/**
 * A small JSON file that several processes share: read whole, changed under a lock, replaced in one step, readable by its
 * owner only (cli.md §2.9).
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Milliseconds after which a lock belongs to a process that died. */
const lockExpires = 10_000;
const lockRetry = 20;

/** The file's text is not JSON. */
export class InvalidJsonFileError extends Error {
  readonly path: string;
  constructor(path: string, cause: unknown) {
    super(`${path} does not hold valid JSON`, { cause });
    this.path = path;
  }
}

/** The parsed file, or undefined where there is none. @throws InvalidJsonFileError */
export function readJsonFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidJsonFileError(path, error);
  }
}

/**
 * Reads the file, lets `change` answer its new contents, and puts them in place, while no other process does the same.
 * Keys are written sorted, with four spaces, and a newline at the end. Undefined from `change` leaves the file alone.
 */
export async function updateJsonFile(path: string, change: (current: unknown) => unknown): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = `${path}.lock`;
  await acquire(lock);
  try {
    const changed = change(readJsonFile(path));
    if (changed !== undefined) writeJsonFile(path, changed);
  } finally {
    rmSync(lock, { force: true });
  }
}

function writeJsonFile(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const descriptor = openSync(temporary, 'w', 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify(sorted(value), undefined, 4)}\n`);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
}

async function acquire(lock: string): Promise<void> {
  for (;;) {
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      return;
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
    }
    if (!breakAbandoned(lock)) await new Promise((resolve) => setTimeout(resolve, lockRetry));
  }
}

/**
 * Takes away the lock of a process that died. Of several that try at once only one moves it; one that has moved a new lock
 * instead, taken since it looked, puts that back.
 */
function breakAbandoned(lock: string): boolean {
  const found = statSync(lock, { throwIfNoEntry: false });
  if (found === undefined) return true;
  if (Date.now() - found.mtimeMs <= lockExpires) return false;
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return true;
    throw error;
  }
  const moved = statSync(aside);
  if (moved.ino !== found.ino || moved.mtimeMs !== found.mtimeMs) {
    renameSync(aside, lock);
    return false;
  }
  rmSync(aside);
  return true;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
