/** Whether runs can be made with runc on this machine: by making one, of the machine's own programs. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pathInHierarchies, removeEverywhere } from '../cgroups/foreign-group.ts';
import { findGroupHost, type GroupHost } from '../cgroups/host.ts';
import { createRunGroup } from '../cgroups/run-group.ts';
import { isErrno } from '../files/errno.ts';
import { removeTree } from '../files/remove-tree.ts';
import { systemEntries } from '../sandbox/layout.ts';
import { isAlive, untilDead } from '../sandbox/liveness.ts';
import { readExit, readLog } from '../sandbox/record.ts';
import { isRoot } from '../sandbox/user.ts';
import { bundleConfiguration } from './bundle.ts';
import { runcPaths, writeRuncRecord } from './record.ts';
import { superviseRunc } from './supervisor.ts';

const execute = promisify(execFile);

export type RuncAnswer =
  | { readonly available: true; readonly version: string; readonly groups: GroupHost }
  /** Why not: half a sentence for the person who set up the machine; and what would help, where it is not to install it. */
  | { readonly available: false; readonly reason: string; readonly advice?: string };

/** @param directory of this worker alone: overlays do not work on every file system, so that one is tried there */
export async function findRunc(program: string, directory: string): Promise<RuncAnswer> {
  if (process.platform !== 'linux') return { available: false, reason: 'runc needs Linux' };
  const version = await versionOf(program);
  if (version === undefined) return { available: false, reason: `${program} is not installed` };
  if (!isRoot()) {
    return {
      available: false,
      reason: 'only root can use it here',
      advice: 'start the worker as root, or with --runtime docker or --runtime sandbox',
    };
  }
  const groups = await findGroupHost();
  if (!groups.available) return { available: false, reason: groups.reason };
  const problem = await tryOut(program, groups.host, directory);
  return problem === undefined
    ? { available: true, version, groups: groups.host }
    : { available: false, reason: problem };
}

async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await execute(program, ['--version']);
    return stdout.split('\n', 1)[0]?.replace(' version', '');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
}

/** Answers what is in the way; undefined: nothing. */
async function tryOut(program: string, groups: GroupHost, directory: string): Promise<string | undefined> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const place = await mkdtemp(join(directory, 'probe-'));
  const uuid = place.slice(place.lastIndexOf('/') + 1);
  try {
    return await startOne(program, groups, place, uuid);
  } finally {
    await removeEverywhere(groups, uuid);
    await removeTree(place);
  }
}

async function startOne(
  program: string,
  groups: GroupHost,
  place: string,
  uuid: string,
): Promise<string | undefined> {
  const image = join(place, 'image');
  const run = join(place, 'directory');
  await mkdir(image);
  await mkdir(run);
  const entries = systemEntries();
  for (const entry of entries) {
    if (entry.kind === 'link') await symlink(entry.to, join(image, entry.path));
  }
  const specification = {
    uuid,
    epoch: 0,
    command: 'true',
    directory: run,
    mounts: entries.flatMap(({ kind, path }) =>
      kind === 'directory' ? [{ source: path, target: path }] : [],
    ),
    environment: {},
    cpuset: [],
    gpus: [],
    memory: 0,
    network: false,
    sharedMemory: 0,
  };
  const bundle = bundleConfiguration({
    specification,
    image: { environment: [] },
    shell: '/bin/sh',
    user: { uid: 0, gid: 0 },
    group: pathInHierarchies(groups, uuid),
    groupVersion: groups.version,
    machine: process.arch,
    network: { kind: 'own', connect: undefined },
    files: {},
  });
  const paths = runcPaths(place, uuid, 0);
  const record = { uuid, epoch: 0, image: '', network: 'own', startedAt: 0 } as const;
  createRunGroup(groups, uuid, { memory: 0, cpuset: [], processes: 1000 });
  writeRuncRecord(paths, record, bundle, image);
  const said = await superviseRunc({ paths, program, name: uuid }, AbortSignal.timeout(30_000));
  if (said !== undefined) return said.split('\n').at(-1);
  if (isAlive(paths.alive)) await untilDead(paths.alive, AbortSignal.timeout(30_000));
  const exit = readExit(paths);
  return exit?.code === 0 ? undefined : (readLog(paths) ?? 'a trial run failed').trim();
}
