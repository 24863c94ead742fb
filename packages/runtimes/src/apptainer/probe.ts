/** Whether runs can be made with Apptainer on this machine, and what it allows: by making one, of the machine's own programs. */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { findGroupHost, type GroupHost } from '../cgroups/host.ts';
import { isErrno } from '../files/errno.ts';
import { removeTree } from '../files/remove-tree.ts';
import { systemEntries } from '../sandbox/layout.ts';
import { isRoot } from '../sandbox/user.ts';
import type { ApptainerMeans } from './container.ts';
import { ApptainerRuntime, type ApptainerParts } from './runtime.ts';

const execute = promisify(execFile);

export type ApptainerAnswer =
  | ({ readonly available: true } & Pick<ApptainerParts, 'program' | 'version' | 'means'>)
  /** Why not: half a sentence for the person who set up the machine. */
  | { readonly available: false; readonly reason: string };

/** @param directory of this worker alone: overlays do not work on every file system, so that one is tried there */
export async function findApptainer(name: string, directory: string): Promise<ApptainerAnswer> {
  if (process.platform !== 'linux') return { available: false, reason: 'Apptainer needs Linux' };
  const program = await find(name);
  if (program === undefined) return { available: false, reason: `${name} is not installed` };
  const { stdout } = await execute(program, ['--version']);
  // `apptainer version 1.4.5`
  const version = `Apptainer ${/\d[\w.+-]*/.exec(stdout)?.[0] ?? ''}`.trim();
  const means = await findMeans(program, directory);
  return typeof means === 'string'
    ? { available: false, reason: means }
    : { available: true, program, version, means };
}

/** A path: runs are started with a PATH of their own. */
async function find(name: string): Promise<string | undefined> {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter(isAbsolute);
  for (const path of isAbsolute(name) ? [name] : directories.map((directory) => join(directory, name))) {
    try {
      await access(path, constants.X_OK);
      return path;
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EACCES', 'ENOTDIR')) throw error;
    }
  }
  return undefined;
}

/** Answers the best that works, or what is in the way of all. */
async function findMeans(program: string, directory: string): Promise<ApptainerMeans | string> {
  const groups = await findGroupHost();
  let problem: string | undefined;
  for (const means of meansToTry(groups.available ? groups.host : undefined, isRoot())) {
    const found = await tryOut({ program, means }, directory);
    if (found === undefined) return means;
    problem ??= found;
  }
  return problem ?? '';
}

/** The best first. Without groups the limits are weaker, without an overlay on disk a run has little room beside its directory. */
export function meansToTry(groups: GroupHost | undefined, asRoot: boolean): readonly ApptainerMeans[] {
  const places = (['disk', 'memory', 'none'] as const).flatMap((overlay) =>
    (asRoot ? [true] : [true, false]).map((namespace) => ({ overlay, namespace })),
  );
  return [...new Set([groups, undefined])].flatMap((host) =>
    places.map((place) => ({ ...place, groups: host })),
  );
}

/** Answers what is in the way; undefined: nothing. */
async function tryOut(
  parts: Pick<ApptainerParts, 'program' | 'means'>,
  directory: string,
): Promise<string | undefined> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const place = await mkdtemp(join(directory, 'probe-'));
  try {
    return await startOne(parts, place);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message.trim().split('\n').at(-1);
  } finally {
    await removeTree(place);
  }
}

async function startOne(
  parts: Pick<ApptainerParts, 'program' | 'means'>,
  place: string,
): Promise<string | undefined> {
  const root = join(place, 'image');
  const directory = join(place, 'directory');
  await mkdir(root);
  await mkdir(directory);
  const entries = systemEntries();
  for (const entry of entries) {
    if (entry.kind === 'link') await symlink(entry.to, join(root, entry.path));
  }
  const mounts = entries.flatMap(({ kind, path }) =>
    kind === 'directory' ? [{ source: path, target: path }] : [],
  );
  const image = { id: trialImage, names: [], architecture: '', environment: [], shell: '/bin/sh', size: 0 };
  const runtime = new ApptainerRuntime({
    ...parts,
    version: '',
    source: '',
    stateDirectory: join(place, 'runs'),
    store: { get: () => image, root: () => root },
    images: noImages,
    files: { network: {}, alone: {} },
    tools: { directory: '', setpriv: [], env: [] },
    processLimit: 32_768,
    close: async () => undefined,
  });
  const handle = await runtime.start(
    {
      uuid: place.slice(place.lastIndexOf('/') + 1),
      epoch: 0,
      command: 'true',
      image: { id: trialImage, digest: null, size: 0 },
      directory,
      mounts,
      environment: {},
      cpuset: [],
      gpus: [],
      memory: 0,
      network: false,
      sharedMemory: 1 << 20,
    },
    AbortSignal.timeout(30_000),
  );
  const exit = await runtime.wait(handle, AbortSignal.timeout(30_000));
  await runtime.destroy(handle);
  return exit.exitCode === 0 ? undefined : (exit.message ?? 'a trial run failed');
}

const trialImage = `sha256:${'0'.repeat(64)}`;

const noImages: ApptainerParts['images'] = {
  prepare: async () => {
    throw new Error('A trial run has its image already');
  },
  remove: async () => 'gone',
};
