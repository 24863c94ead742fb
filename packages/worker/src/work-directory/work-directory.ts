/** The directory a worker lives in: made, locked, and cleared of what nobody will come back for. */
import { randomUUID } from 'node:crypto';
import { access, chmod, mkdir, readdir, readFile, rename, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, systemCode } from '../errors.ts';
import { removeAll } from '../files.ts';
import type { Log } from '../log.ts';
import { StartProblem, type Settings } from '../settings/settings.ts';
import { lockDirectory, LockedProblem, type Lock } from './lock.ts';
import { workPaths, type Place, type WorkPaths } from './paths.ts';

export interface WorkDirectory {
  readonly paths: WorkPaths;
  /** Tells this worker's containers from those of others on the same engine, for as long as the directory lives. */
  readonly identity: string;
  readonly lock: Lock;
}

type Wishes = Pick<Settings, 'workDirectory' | 'preemptible' | 'id'>;

/**
 * Several workers may have one directory: whoever comes first has all of it, others a part. A worker comes back to where it was
 * before, as long as it keeps its name.
 * @throws StartProblem where it cannot be used, or where this very worker runs in it already.
 */
export async function openWorkDirectory(settings: Wishes): Promise<WorkDirectory> {
  try {
    const place = await firstPlace(settings);
    try {
      return await openPlace(settings, place);
    } catch (error) {
      const other =
        error instanceof LockedProblem && error.holder !== undefined && error.holder !== settings.id;
      if (!other || place !== 'owner') throw error;
      return await openPlace(settings, 'guest');
    }
  } catch (error) {
    if (error instanceof StartProblem) throw error;
    throw new StartProblem(
      `The worker cannot work in ${settings.workDirectory} (${messageOf(error)}): choose another --work-dir.`,
      { cause: error },
    );
  }
}

async function firstPlace({ workDirectory, preemptible, id }: Wishes): Promise<Place> {
  if (preemptible) return 'shared-runs';
  const wasGuest = await exists(workPaths(workDirectory, { place: 'guest', id }).identity);
  return wasGuest ? 'guest' : 'owner';
}

async function openPlace({ workDirectory, id }: Wishes, place: Place): Promise<WorkDirectory> {
  const paths = workPaths(workDirectory, { place, id });
  for (const path of [paths.root, paths.runs]) {
    const first = await mkdir(path, { recursive: true, mode: 0o770 });
    // Whatever the umask of whoever started the worker: the group may look into it (execution.md §16.1).
    if (first !== undefined) await chmod(path, 0o770);
  }
  const lock = await lockDirectory(paths.lock, { id, shown: workDirectory });
  try {
    return { paths, identity: await identityIn(paths.identity), lock };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * Removes what the worker has made, and the directory itself where nothing else is in it: it may hold other workers, or be one that
 * somebody uses for other things, too.
 */
export async function removeWorkDirectory({ paths, lock }: WorkDirectory, whole: string): Promise<void> {
  const { root, lock: _lock, runs, ...parts } = paths;
  await Promise.all(Object.values(parts).map((path) => removeAll(path)));
  if (runs.startsWith(join(root, '/'))) await removeAll(runs);
  else await removeIfEmpty(runs);
  await lock.release();
  for (const path of root === whole ? [join(root, 'workers'), root] : [root, dirname(root), whole]) {
    await removeIfEmpty(path);
  }
}

async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY'].includes(systemCode(error) ?? '')) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
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
