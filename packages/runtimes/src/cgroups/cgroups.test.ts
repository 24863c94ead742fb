import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { groupDirectories, parseMembership } from './membership.ts';
import { createRunGroup, groupDirectoriesOf, joiningFilesOf, usageDirectoriesOf } from './run-group.ts';
import { groupUsage, outOfMemoryKills } from './usage.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-cgroups-'));
});
afterEach(() => rm(root, { recursive: true }));

async function files(directory: string, contents: Record<string, string>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(contents)) {
    await writeFile(join(directory, name), content);
  }
}

describe('membership', () => {
  it('of version 1, hybrid included, leads to the memory and processor controllers', () => {
    const membership = parseMembership(
      '7:pids:/a\n5:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n1:name=systemd:/\n0::/init\n',
    );

    expect(groupDirectories(membership, '/sys')).toEqual({
      version: 1,
      memory: '/sys/memory/docker/x',
      cpuacct: '/sys/cpuacct/docker/x',
    });
  });

  it('of version 2 is one directory', () => {
    expect(groupDirectories(parseMembership('0::/system.slice/docker-x.scope\n'), '/sys')).toEqual({
      version: 2,
      directory: '/sys/system.slice/docker-x.scope',
    });
  });
});

describe('a group of version 2', () => {
  const group = (): { version: 2; directory: string } => ({ version: 2, directory: join(root, 'run') });

  it('tells what it uses', async () => {
    await files(join(root, 'run'), {
      'memory.current': '5000\n',
      'memory.peak': '9000\n',
      'memory.stat': 'anon 100\ninactive_file 2000\n',
      'cpu.stat': 'usage_usec 3\nuser_usec 1500000\nsystem_usec 250000\n',
    });

    expect(groupUsage(group())).toEqual({
      cpuUser: 1.5,
      cpuSystem: 0.25,
      memory: 3000,
      memoryMax: 9000,
    });
    await rm(join(root, 'run/memory.peak'));
    expect(groupUsage(group())).toMatchObject({ memoryMax: 5000 });
  });

  it('tells how often memory ran out', async () => {
    await files(join(root, 'run'), { 'memory.events': 'low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\n' });

    expect(outOfMemoryKills(group())).toBe(1);
  });

  it('is made with its limits', async () => {
    const host = { version: 2, base: root } as const;

    createRunGroup(host, 'run', { memory: 1000, cpuset: [0, 2], processes: 7 });

    expect(groupDirectoriesOf(host, 'run')).toEqual([join(root, 'run')]);
    expect(joiningFilesOf(host, 'run')).toEqual([join(root, 'run/cgroup.procs')]);
    expect(usageDirectoriesOf(host, 'run')).toEqual(group());
    const read = (name: string): Promise<string> => readFile(join(root, 'run', name), 'utf8');
    expect([await read('memory.max'), await read('cpuset.cpus'), await read('pids.max')]).toEqual([
      '1000',
      '0,2',
      '7',
    ]);
  });

  it('that has gone has no use', async () => {
    expect(groupUsage(group())).toBeUndefined();
    expect(outOfMemoryKills(group())).toBe(0);
  });
});
