/**
 * The two programs that bring a command into a run that is under way, with the libraries they need, in a directory of their own:
 * an image need not have them, and need not have the libraries of this machine.
 */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { toolsDescriptor } from '../sandbox/exec.ts';

const run = promisify(execFile);

export interface Tools {
  readonly directory: string;
  readonly setpriv: readonly string[];
  readonly env: readonly string[];
}

/** @param directory of this worker alone */
export async function gatherTools(directory: string): Promise<Tools> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  // One after the other: they have libraries in common.
  const setpriv = await gather('/usr/bin/setpriv', directory);
  const env = await gather('/usr/bin/env', directory);
  return { directory, setpriv, env };
}

/** Answers the words that call it where the directory is open. */
async function gather(program: string, directory: string): Promise<string[]> {
  const { loader, libraries } = parseLibraries(await librariesOf(program));
  for (const file of [program, ...libraries, ...(loader === undefined ? [] : [loader])]) {
    const copy = join(directory, basename(file));
    // A session may be under way with the one of before.
    await copyFile(file, `${copy}.new`);
    await rename(`${copy}.new`, copy);
  }
  const place = `/proc/self/fd/${toolsDescriptor}`;
  const call = `${place}/${basename(program)}`;
  return loader === undefined ? [call] : [`${place}/${basename(loader)}`, '--library-path', place, call];
}

/** Nothing for a program that needs none: `ldd` calls that a failure. */
async function librariesOf(program: string): Promise<string> {
  try {
    return (await run('ldd', [program], { env: { ...process.env, LC_ALL: 'C' } })).stdout;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) return '';
    throw error;
  }
}

/** What `ldd` says: `name => path (address)`, and the loader's path alone. */
export function parseLibraries(said: string): {
  readonly loader: string | undefined;
  readonly libraries: readonly string[];
} {
  const libraries = [...said.matchAll(/=> (\/\S+) \(/g)].map(([, path]) => path ?? '');
  const alone = /^\s*(\/\S+) \(/m.exec(said)?.[1];
  // musl names its loader as a library as well.
  const loader = alone ?? libraries.find((path) => /\/ld-[^/]*$/.test(path));
  return { loader, libraries: libraries.filter((path) => path !== loader) };
}
