import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firstOf, killGroup, pathInHierarchies, processesOf, removeEverywhere } from './foreign-group.ts';
import type { GroupHost } from './host.ts';
import { joiningFilesOf } from './run-group.ts';

let root: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-cgroups-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true });
});

const version2 = (): GroupHost => ({ version: 2, base: join(root, 'sheaf') });
const version1 = (): GroupHost => ({
  version: 1,
  bases: {
    memory: join(root, 'memory/sheaf'),
    cpuacct: join(root, 'cpuacct/sheaf'),
    cpuset: join(root, 'cpuset/sheaf'),
    pids: join(root, 'pids/sheaf'),
  },
});

async function sleeping(): Promise<ChildProcess> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child;
}

async function signalOf(child: ChildProcess): Promise<unknown> {
  const [, signal] = (await once(child, 'exit')) as [number | null, unknown];
  return signal;
}

describe('a group of version 2 that another program fills', () => {
  it('is named from the root of the hierarchy, however deep the worker may make groups', () => {
    const delegated: GroupHost = { version: 2, base: join(root, 'user.slice/user-1000.slice/sheaf') };

    expect(pathInHierarchies(version2(), 'run', root)).toBe('/sheaf/run');
    expect(pathInHierarchies(delegated, 'run', root)).toBe('/user.slice/user-1000.slice/sheaf/run');
  });

  it('tells its processes; none where it has gone', async () => {
    const host = version2();
    expect(processesOf(host, 'run')).toEqual([]);
    await mkdir(join(root, 'sheaf/run'), { recursive: true });
    await writeFile(join(root, 'sheaf/run/cgroup.procs'), '17\n4711\n');

    expect(processesOf(host, 'run')).toEqual([17, 4711]);
  });

  it('has a first process only where one is number 1 in a namespace', async () => {
    await mkdir(join(root, 'sheaf/run'), { recursive: true });
    await writeFile(join(root, 'sheaf/run/cgroup.procs'), `${process.pid}\n999999999\n`);

    expect(firstOf(version2(), 'run')).toBeUndefined();
    expect(firstOf(version2(), 'gone')).toBeUndefined();
  });

  it('is killed process by process, until none is left', async () => {
    const file = join(root, 'sheaf/run/cgroup.procs');
    await mkdir(join(root, 'sheaf/run'), { recursive: true });
    const first = await sleeping();
    const second = await sleeping();
    // One that has ended meanwhile, as the kernel may still list it.
    await writeFile(file, `${first.pid}\n${second.pid}\n999999999\n`);
    const ends = [first, second].map(signalOf);

    const killing = killGroup(version2(), 'run');
    expect(await Promise.all(ends)).toEqual(['SIGKILL', 'SIGKILL']);
    const third = await sleeping();
    const end = signalOf(third);
    // The kernel's list is never empty for a moment in which a process is in the group.
    await writeFile(`${file}.next`, `${third.pid}\n`);
    await rename(`${file}.next`, file);
    expect(await end).toBe('SIGKILL');
    await writeFile(file, '');
    await killing;
  });

  it('is one directory, which is removed; nothing happens where it was', async () => {
    await mkdir(join(root, 'sheaf/run'), { recursive: true });
    await mkdir(join(root, 'sheaf/other'), { recursive: true });

    await removeEverywhere(version2(), 'run');
    await removeEverywhere(version2(), 'run');

    expect(await readdir(join(root, 'sheaf'))).toEqual(['other']);
  });
});

describe('a group of version 1 that another program fills', () => {
  it('is joined thread by thread in every hierarchy that limits are set in', () => {
    const [memory, ...others] = joiningFilesOf(version1(), 'run');

    expect([memory, others.length]).toEqual([join(root, 'memory/sheaf/run/tasks'), 3]);
  });

  it('is removed from every hierarchy, also those that no limit is set in', async () => {
    for (const controller of ['memory', 'cpuacct', 'cpuset', 'pids', 'blkio', 'systemd'])
      await mkdir(join(root, controller, 'sheaf/run'), { recursive: true });
    await writeFile(join(root, 'a-file'), '');

    expect(pathInHierarchies(version1(), 'run', root)).toBe('/sheaf/run');
    await removeEverywhere(version1(), 'run');

    for (const controller of ['memory', 'blkio', 'systemd'])
      expect(await readdir(join(root, controller, 'sheaf'))).toEqual([]);
  });
});
