import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AccountingGroups } from './accounting.ts';

// What an engine does is done here with directories: whether the real one does it is tested with the Docker runtime.
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-accounts-'));
});
afterEach(() => rm(root, { recursive: true }));

async function files(directory: string, contents: Record<string, string>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(contents)) await writeFile(join(directory, name), content);
}

const memory = { 'memory.usage_in_bytes': '70', 'memory.max_usage_in_bytes': '900', 'memory.stat': 'x 1\n' };
const processor = { 'cpuacct.stat': 'user 100\nsystem 50\n', 'cpuacct.usage': '1504000000\n' };

async function open(): Promise<AccountingGroups> {
  const accounts = await AccountingGroups.open('a worker', root);
  if (accounts === undefined) throw new Error('there should be accounts');
  return accounts;
}

it('there are none where groups cannot be made', async () => {
  expect(await AccountingGroups.open('a worker', join(root, 'nothing'))).toBeUndefined();
  expect(await AccountingGroups.open('a worker', root)).toBeUndefined();
});

it('keep in version 1 what a container used, after its own group has gone', async () => {
  await files(join(root, 'memory'), { 'cgroup.procs': '' });
  const accounts = await open();
  const parent = accounts.parentOf('0xa.1');
  await files(join(root, 'memory', parent), memory);
  await files(join(root, 'cpuacct', parent), processor);

  expect(parent).toMatch(/^\/docker\/sheaf-[0-9a-f]{12}\/0xa\.1$/);
  expect(accounts.usageNow('0xa.1', 'container')).toBeUndefined();
  expect(accounts.usageInAll('0xa.1')).toEqual({
    cpuUser: 1.004,
    cpuSystem: 0.5,
    memory: 70,
    memoryMax: 900,
  });
  expect(accounts.usageInAll('0xb.1')).toBeUndefined();
});

it('keep in version 2 what a container used', async () => {
  await files(root, { 'cgroup.controllers': 'memory', 'cgroup.procs': '' });
  const accounts = await open();
  await files(join(root, accounts.parentOf('0xa.1')), {
    'memory.current': '10',
    'memory.peak': '80',
    'memory.stat': 'anon 1\n',
    'cpu.stat': 'user_usec 7000\nsystem_usec 3000\n',
  });

  expect(accounts.usageInAll('0xa.1')).toEqual({
    cpuUser: 0.007,
    cpuSystem: 0.003,
    memory: 10,
    memoryMax: 80,
  });
});

it('are removed with the run, and those of a dead worker when the next one starts', async () => {
  await files(join(root, 'memory'), { 'cgroup.procs': '' });
  await mkdir(join(root, 'pids'));
  const accounts = await open();
  const names = ['0xa.1', '0xb.1', '0xc.1'];
  for (const hierarchy of ['memory', 'pids'])
    for (const name of names)
      await mkdir(join(root, hierarchy, accounts.parentOf(name)), { recursive: true });
  await mkdir(join(root, 'pids', accounts.parentOf('0xc.1'), 'container'));

  await accounts.remove('0xa.1');
  await accounts.remove('0xa.1');
  await accounts.sweep(new Set(['0xb.1']));

  const left = async (hierarchy: string) =>
    (await readdir(join(root, hierarchy, accounts.parentOf('.')))).toSorted();
  expect(await left('memory')).toEqual(['0xb.1']);
  expect(await left('pids')).toEqual(['0xb.1', '0xc.1']);

  await accounts.leave();
  expect(await left('memory')).toEqual(['0xb.1']);
  await accounts.remove('0xb.1');
  await accounts.leave();
  await expect(left('memory')).rejects.toThrow('ENOENT');
});
