/* What is laid out for runs, shared among them, and removed when nobody needs it. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryStore, importDirectory, type TreeEntry } from '@sheaf/trees';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SharedDirectories, type Needed } from './directories.ts';

let root: string;
let store: DirectoryStore;
let shared: SharedDirectories;
let tree: TreeEntry;
let secrets = 0;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sheaf-directories-'));
  store = await DirectoryStore.open(join(root, 'contents'));
  shared = await open();
  mkdirSync(join(root, 'source'));
  writeFileSync(join(root, 'source', 'file'), 'content');
  tree = await importDirectory(store, join(root, 'source'));
});
afterEach(async () => {
  await store.close();
  rmSync(root, { recursive: true });
});

const open = () =>
  SharedDirectories.open(join(root, 'shared'), store, (length) =>
    String((secrets += 1)).padStart(length, '0'),
  );
const nothing: Needed = { attempts: [], resumable: new Set(), contents: new Set() };
const sweep = (needed: Partial<Needed> = {}, later = 0) =>
  shared.sweep(
    async () => ({ ...nothing, ...needed }),
    Date.now() + later,
    (path, error) => {
      throw new Error(path, { cause: error });
    },
  );
const attempt = { uuid: '0xa', epoch: 1 };
const anHour = 3_600_000;

it('keeps its marker, by which workers know it, for good', async () => {
  expect((await open()).marker).toEqual(shared.marker);
  expect(readFileSync(shared.marker.path, 'utf8')).toBe(shared.marker.text);
});

it('lays the same contents out once, also for several at a time, without a copy', async () => {
  const places = await Promise.all([shared.layOut(tree), shared.layOut(tree), shared.layOut(tree)]);

  expect(new Set(places.map(({ path }) => path)).size).toBe(1);
  const file = join(places[0]?.path ?? '', 'file');
  expect(statSync(file).nlink).toBe(2);
  expect(readdirSync(join(root, 'shared', 'contents'))).toHaveLength(1);
});

it('tells a file from the program with the same bytes', async () => {
  const [entry] = [{ kind: 'file', digest: await store.put(Buffer.from('#!/bin/sh')), size: 9 } as const];
  const plain = await shared.layOut({ ...entry, executable: false });
  const program = await shared.layOut({ ...entry, executable: true });

  expect(statSync(plain.path).mode & 0o777).toBe(0o444);
  expect(statSync(program.path).mode & 0o777).toBe(0o555);
});

it('keeps contents that a run uses, is about to use, or has used a moment ago', async () => {
  const { path, name } = await shared.layOut(tree);
  await sweep({}, anHour);
  expect(existsSync(path)).toBe(true);
  shared.release(name);
  await sweep();
  expect(existsSync(path)).toBe(true);
  await sweep({ contents: new Set([name]) }, anHour);
  expect(existsSync(path)).toBe(true);

  expect(await sweep({}, anHour)).toBe(1);
  expect(existsSync(path)).toBe(false);
});

it('counts a new use of contents that were not used for long', async () => {
  const { path, name } = await shared.layOut(tree);
  shared.release(name);
  const long = new Date(Date.now() - anHour);
  utimesSync(join(path, '..'), long, long);
  shared.release((await shared.layOut(tree)).name);
  await sweep();

  expect(existsSync(path)).toBe(true);
});

it('makes an empty directory for each attempt, and removes those that are over', async () => {
  const first = await shared.makeRun(attempt, { resumes: false });
  writeFileSync(join(first, 'file'), '');
  const second = await shared.makeRun({ ...attempt, epoch: 2 }, { resumes: false });

  expect(readdirSync(second)).toEqual([]);
  await sweep({ attempts: [{ ...attempt, epoch: 2 }] });
  expect([existsSync(first), existsSync(second)]).toEqual([false, true]);
});

it('goes on in the newest directory before, and in no other', async () => {
  for (const epoch of [1, 2]) {
    writeFileSync(join(await shared.makeRun({ uuid: '0xa', epoch }, { resumes: false }), `of${epoch}`), '');
  }
  writeFileSync(join(await shared.makeRun({ uuid: '0xab', epoch: 3 }, { resumes: false }), 'foreign'), '');
  await sweep({ resumable: new Set(['0xa', '0xab']) });
  const resumed = await shared.makeRun({ uuid: '0xa', epoch: 4 }, { resumes: true });

  expect(readdirSync(resumed)).toEqual(['of2']);
});

it('takes an ended attempt away from its worker, and once more after a crash', async () => {
  const path = await shared.makeRun(attempt, { resumes: false });
  writeFileSync(join(path, 'stdout'), 'x');
  const taken = await shared.takeEnded(attempt);

  expect(existsSync(path)).toBe(false);
  expect(await shared.takeEnded(attempt)).toBe(taken);
  await sweep({ attempts: [attempt] });
  expect(readFileSync(join(taken ?? '', 'stdout'), 'utf8')).toBe('x');
  await shared.removeEnded(attempt);
  expect(await shared.takeEnded(attempt)).toBeUndefined();
});

it('does not remove what is made while it looks', async () => {
  let made = '';
  await shared.sweep(
    async () => {
      made = await shared.makeRun(attempt, { resumes: false });
      return nothing;
    },
    Date.now(),
    () => undefined,
  );

  expect(existsSync(made)).toBe(true);
});
