/* What is left is seen: each kind of leftover is made for real, and collected. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryStore, type Entry } from '@sheaf/trees';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { filesOf, forgetGroupsOf, groupsOf, mountsBelow, processesOf } from './machine.ts';
import { sqlite } from './sql.ts';
import { eventsIn, workLeft } from './server.ts';
import { lookOverCache, lookOverStore } from './store.ts';

const uuid = `0x${'7'.repeat(32)}`;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-evidence-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

it('sees files and empty directories of runs, and neither the cache nor what comes and goes', () => {
  for (const name of ['cache/entries', 'runs/0x1', 'trash', 'runs-state'])
    mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, 'runs-state/0x1.json'), '');
  writeFileSync(join(directory, 'images.json.tmp'), '');

  expect(filesOf(directory).sort()).toEqual(['images.json.tmp', 'runs-state/0x1.json', 'runs/0x1/']);
});

it('sees processes by the run or the directory that they name, and no others', () => {
  const process_ = (name: string) => spawn('sleep', ['60'], { argv0: name, stdio: 'ignore' });
  const children = [process_(`supervisor ${uuid}`), process_(`${directory}/bin/x`), process_('sheaf other')];
  try {
    const found = processesOf(directory, new Set([uuid]));

    expect(found.map((line) => Number(line.split(' ')[0]))).toEqual(
      expect.arrayContaining(children.slice(0, 2).map(({ pid }) => pid)),
    );
    expect(found).toHaveLength(2);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
});

it.skipIf(process.getuid?.() !== 0)('sees mounts that it has not made itself', () => {
  const places = ['own', 'left'].map((name) => join(directory, name));
  for (const place of places) {
    mkdirSync(place);
    spawnSync('mount', ['-t', 'tmpfs', 'test', place]);
  }
  try {
    expect(mountsBelow(directory, places.slice(0, 1))).toEqual(places.slice(1));
  } finally {
    for (const place of places) spawnSync('umount', [place]);
  }
});

it.skipIf(!existsSync('/sys/fs/cgroup/memory/sheaf'))('sees control groups of its runs', () => {
  const group = `/sys/fs/cgroup/memory/sheaf/${uuid}-1`;
  mkdirSync(group);
  try {
    expect(groupsOf(new Set([uuid]))).toEqual([group]);
    expect(groupsOf(new Set(['0x1']))).toEqual([]);
    forgetGroupsOf(new Set(['0x1']));
    expect(existsSync(group)).toBe(true);
    forgetGroupsOf(new Set([uuid]));
    expect(groupsOf(new Set([uuid]))).toEqual([]);
  } finally {
    spawnSync('rmdir', [group]);
  }
});

it('sees rows and files that the server should have let go of', async () => {
  const sql = await sqlite(join(directory, 'database'));
  sql.run([
    'create table bundle (uuid text, state text)',
    'create table bundle_event (id integer primary key, bundle_uuid text, kind text, details text)',
    'create table assignment (run_uuid text, worker_id text)',
    'create table message (type text, run_uuid text, worker_id text)',
    'create table transfer_lease (bundle_uuid text)',
    'create table shared_run (run_uuid text, epoch integer)',
    `insert into bundle values ('0x1', 'ready'), ('0x2', 'running')`,
    `insert into assignment values ('0x1', 'one')`,
    `insert into message values ('kill', '0x1', 'one')`,
    `insert into transfer_lease values ('0x1'), ('0x2'), ('0x3')`,
    `insert into shared_run values ('0x1', 2)`,
    `insert into bundle_event values (1, '0x1', 'restaged', '{"epoch":1,"failure_cause":"disk-full","text":"Full."}')`,
  ]);
  mkdirSync(join(directory, 'temporary'));
  writeFileSync(join(directory, 'temporary', 'half'), '');

  expect(workLeft(sql, directory)).toEqual({
    assignments: ['0x1 one'],
    messages: ['kill 0x1 one'],
    leases: ['0x1 ready', '0x3 '],
    sharedRuns: ['0x1 2'],
    files: ['half'],
  });
  expect(eventsIn(sql).get('0x1')).toEqual([
    { kind: 'restaged', epoch: 1, cause: 'disk-full', state: undefined, text: 'Full.' },
  ]);
});

it('sees contents that are missing, damaged or unfinished', async () => {
  const place = join(directory, 'contents');
  const [sound, damaged] = await fill(place, ['whole!', 'damaged']);
  const blob = join(place, 'blobs', damaged.slice(0, 2), damaged.slice(2));
  chmodSync(blob, 0o644);
  writeFileSync(blob, 'changed');
  writeFileSync(join(place, 'temp', 'half'), '');
  const missing = '0'.repeat(64);

  const seen = await lookOverStore(place, [file(sound), file(missing)], Date.now() - 60_000);

  expect(seen.missing).toEqual([expect.stringContaining(missing)]);
  expect(seen.damaged).toEqual([expect.stringContaining(damaged)]);
  expect(seen.unfinished).toEqual(['temp/half']);
  expect((await lookOverStore(place, [], Date.now() + 60_000)).unfinished).toEqual([]);
});

it('sees blobs of the cache that no entry needs', async () => {
  const [needed, left] = await fill(join(directory, 'store'), ['needed', 'left']);
  mkdirSync(join(directory, 'entries'));
  writeFileSync(join(directory, 'entries', 'a.file'), '');
  writeFileSync(join(directory, 'entries', 'b.incomplete'), '');
  writeFileSync(
    join(directory, 'index.json'),
    JSON.stringify({ entries: { 'a.file': { entry: file(needed) } } }),
  );

  expect(await lookOverCache(directory, 0)).toEqual({
    entries: ['a.file', 'b.incomplete'],
    listed: ['a.file'],
    unreferenced: [left],
    unfinished: [],
  });
});

function file(digest: string): Entry {
  return { kind: 'file', size: 6, executable: false, digest };
}

async function fill(place: string, texts: readonly [string, string]): Promise<[string, string]> {
  const store = await DirectoryStore.open(place);
  try {
    const [one, other] = texts;
    return [await store.put(Buffer.from(one)), await store.put(Buffer.from(other))];
  } finally {
    await store.close();
  }
}
