/** Root file systems of test images, kept between test runs: building one takes a quarter of a minute, importing it a second. */
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isErrno } from '../errno.ts';
import { inTurn } from '../services/turns.ts';

export function imageCacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sheaf-test-images');
}

/** Path of the archive of this name, built where it is missing: by one test file, for which others wait. */
export async function cachedArchive(name: string, build: (file: string) => Promise<void>): Promise<string> {
  const directory = imageCacheDirectory();
  const file = join(directory, `${name}.tar`);
  if (await exists(file)) {
    return file;
  }
  await mkdir(directory, { recursive: true });
  await inTurn(`image-${name}`, async () => {
    if (!(await exists(file))) await buildWhole(file, build);
  });
  return file;
}

async function buildWhole(file: string, build: (file: string) => Promise<void>): Promise<void> {
  const unfinished = `${file}.${randomUUID()}.tar`;
  try {
    await build(unfinished);
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    return (await stat(file)).size > 0;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return false;
    }
    throw error;
  }
}
