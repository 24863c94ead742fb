/** The directory a worker lives in: made, locked, and cleared of what nobody will come back for. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCode } from '../errors.ts';
import { removeAll } from '../files.ts';
import type { Log } from '../log.ts';
import { StartProblem, type Settings } from '../settings/settings.ts';
import { lockDirectory, type Lock } from './lock.ts';
import { workPaths, type WorkPaths } from './paths.ts';

export interface WorkDirectory {
  readonly paths: WorkPaths;
  /** Tells this worker's containers from those of others on the same engine, for as long as the directory lives. */
  readonly identity: string;
  readonly lock: Lock;
}

/** @throws StartProblem where it cannot be used. */
export async function openWorkDirectory(
  settings: Pick<Settings, 'workDirectory' | 'preemptible' | 'id'>,
): Promise<WorkDirectory> {
  const paths = workPaths(settings.workDirectory, { shared: settings.preemptible, id: settings.id });
  try {
    await mkdir(paths.root, { recursive: true, mode: 0o770 });
    await mkdir(paths.runs, { recursive: true, mode: 0o770 });
    const lock = await lockDirectory(paths.lock, settings.workDirectory);
    return { paths, identity: await identityIn(paths.identity), lock };
  } catch (error) {
    if (error instanceof StartProblem) throw error;
    throw new StartProblem(
      `The worker cannot work in ${settings.workDirectory} (${messageOf(error)}): choose another --work-dir.`,
      { cause: error },
    );
  }
}

/**
 * Takes away run directories that no record speaks of; the deleting itself takes its time in the background. Not for directories
 * that several workers share.
 */
export async function clearRunDirectories(
  paths: WorkPaths,
  known: ReadonlySet<string>,
  log: Log,
): Promise<void> {
  await mkdir(paths.trash, { recursive: true, mode: 0o700 });
  for (const name of await readdir(paths.runs)) {
    if (known.has(name)) continue;
    log.info({ run: name }, 'a run directory that nobody knows is removed');
    await rename(join(paths.runs, name), join(paths.trash, randomUUID()));
  }
  removeAll(paths.trash).catch((error: unknown) =>
    log.warn({ error: messageOf(error) }, 'trash cannot be removed'),
  );
}

async function identityIn(path: string): Promise<string> {
  try {
    const known = (await readFile(path, 'utf8')).trim();
    if (known !== '') return known;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  const identity = randomUUID();
  await writeFile(path, `${identity}\n`, { mode: 0o600 });
  return identity;
}
