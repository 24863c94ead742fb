/* Results that no filesystem was asked for: odd kinds, odd names, too many, too deep, closed; and what of them is stored. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '@sheaf/testkit';
import { Installation } from '../support/installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await Installation.start('sandbox');
});
afterAll(() => installation.stop());

interface Item {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly perm: number;
}

async function ran(command: string): Promise<string> {
  const uuid = await installation.ok('run', command);
  await installation.finished(uuid);
  return uuid;
}

async function items(uuid: string, path = ''): Promise<Map<string, Item>> {
  const { data } = await installation.api<{ data: { contents: Item[] } }>(
    'GET',
    `/bundles/${uuid}/contents/info/${path}?depth=1`,
  );
  return new Map(data.contents.map((item) => [item.name, item]));
}

const state = async (uuid: string) => (await installation.bundle(uuid)).state;
const message = async (uuid: string) => (await installation.bundle(uuid)).metadata['failure_message'];
const cleared = (uuid: string) =>
  eventually('no run directory', () =>
    existsSync(join(installation.home, 'worker', 'runs', uuid)) ? undefined : true,
  );

it('pipes and sockets are left out, the rest is stored', async () => {
  const uuid = await ran(
    `mkfifo pipe; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('socket')"; echo text > file`,
  );

  expect(await state(uuid)).toBe('ready');
  expect([...(await items(uuid)).keys()].toSorted()).toEqual(['file', 'stderr', 'stdout']);
});

it('links are stored as links, wherever they lead', async () => {
  const uuid = await ran('ln -s /etc/passwd out; ln -s ../../.. up; ln -s nowhere dangling; ln -s self self');

  expect(await state(uuid)).toBe('ready');
  for (const name of ['out', 'up', 'dangling', 'self']) {
    expect((await items(uuid)).get(name)?.type, name).toBe('link');
  }
  // Nothing behind them is served.
  expect((await installation.cl(['cat', `${uuid}/out`])).stdout).not.toContain('root:');
});

it('hard links, holes and setuid files are files', async () => {
  const uuid = await ran(
    'echo same > a; ln a b; truncate -s 300M hole; echo tail >> hole; cp /bin/true tool; chmod 4755 tool',
  );

  expect(await state(uuid)).toBe('ready');
  const found = await items(uuid);
  expect(found.get('a')?.size).toBe(5);
  expect(found.get('b')?.size).toBe(5);
  expect(found.get('hole')?.size).toBe(300 * 1024 * 1024 + 5);
  expect(found.get('tool')?.perm).toBe(0o755);
});

it('what a command has closed to everybody is stored all the same', async () => {
  const uuid = await ran(
    'mkdir -p closed/inside; echo secret > closed/inside/file; chmod 000 closed/inside/file closed/inside closed',
  );

  expect(await state(uuid)).toBe('ready');
  expect(await installation.ok('cat', `${uuid}/closed/inside/file`)).toBe('secret');
  await cleared(uuid);
});

it('names of any length and any signs', async () => {
  const long = 'n'.repeat(255);
  const uuid = await ran(
    // `cl` takes ASCII only, so the shell makes the rest.
    `echo long > ${long}; echo a > "a b"; echo q > "it's \\"quoted\\""; echo n > $'new\\nline'; echo u > $'\\xc3\\xbc\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80'; echo d > ./-rf; echo s > 'a\\b'; echo t > $'tab\\t'`,
  );

  expect(await state(uuid)).toBe('ready');
  expect([...(await items(uuid)).keys()].toSorted()).toEqual(
    [
      long,
      'a b',
      'it\'s "quoted"',
      'new\nline',
      'ü€😀',
      '-rf',
      'a\\b',
      'tab\t',
      'stderr',
      'stdout',
    ].toSorted(),
  );
  expect(await installation.ok('cat', `${uuid}/ü€😀`)).toBe('u');
});

it('names that are no UTF-8 are left out and named; everything else is stored, and the run has failed', async () => {
  const uuid = await ran(
    `echo good > good; mkdir d; echo deep > d/also-good; echo bad > $'b\\xffd'; echo bad > $'d/\\xfe'; ln -s $'\\xfd' link`,
  );

  expect(await state(uuid)).toBe('failed');
  expect(await message(uuid)).toMatch(/^Error while uploading: .*b\\xffd.*UTF-8.*2 more.*[Ee]verything else/);
  expect([...(await items(uuid)).keys()].toSorted()).toEqual(['d', 'good', 'stderr', 'stdout']);
  expect(await installation.ok('cat', `${uuid}/d/also-good`)).toBe('deep');
});

it('many thousand files', async () => {
  const uuid = await ran(
    `python3 -c "
import os
for directory in range(10):
    os.mkdir(str(directory))
    for file in range(1000):
        open(f'{directory}/{file}', 'w').write(f'{directory} {file}')"`,
  );

  expect(await state(uuid)).toBe('ready');
  expect((await items(uuid)).size).toBe(12);
  expect((await items(uuid, '3')).size).toBe(1000);
  expect(await installation.ok('cat', `${uuid}/9/999`)).toBe('9 999');
  await cleared(uuid);
});

/** Directories in directories, with a file in each and one at the end. */
const deep = (levels: number) =>
  `python3 -c "
import os
for level in range(${levels}):
    open('beside', 'w').write(str(level)); os.mkdir('d'); os.chdir('d')
open('file', 'w').write('deep')"`;

it('directories in directories', async () => {
  const uuid = await ran(deep(100));

  expect(await state(uuid)).toBe('ready');
  expect(await installation.ok('cat', `${uuid}/${'d/'.repeat(100)}file`)).toBe('deep');
  await cleared(uuid);
});

it('deeper than any path may lead: the run fails with words, and what a path leads to is stored', async () => {
  const uuid = await ran(deep(2100));

  expect(await state(uuid)).toBe('failed');
  expect(await message(uuid)).toMatch(
    /^Error while uploading: d\/d.*: its path is too long.*Everything else is stored/,
  );
  expect(await installation.ok('cat', `${uuid}/${'d/'.repeat(10)}beside`)).toBe('10');
  await cleared(uuid);
});

it('a directory that is gone', async () => {
  const uuid = await ran('rm -f stdout stderr; mkdir x; rmdir x');

  expect(await state(uuid)).toBe('ready');
  expect((await items(uuid)).size).toBeLessThanOrEqual(2);
});

it('files that go on changing while nobody looks any more', async () => {
  const uuid = await ran('(while :; do date >> clock; done) & disown; echo done');

  expect(await state(uuid)).toBe('ready');
  expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('done');
});
