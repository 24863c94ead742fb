/* The worker's cache of dependencies, with a real server: what is fetched, linked, kept, noticed and thrown away. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { end, Installation } from '../support/installation.ts';

let installation: Installation;
let directory: string;
beforeAll(async () => {
  installation = await Installation.start('sandbox');
  directory = mkdtempSync(join(tmpdir(), 'sheaf-inputs-'));
});
afterAll(async () => {
  await installation.stop();
  rmSync(directory, { recursive: true, force: true });
});

let uploads = 0;
/** Files become a bundle; answers its uuid. */
async function upload(files: Readonly<Record<string, string>>): Promise<string> {
  uploads += 1;
  const source = join(directory, `upload-${uploads}`);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(source, path, '..'), { recursive: true });
    writeFileSync(join(source, path), text, { mode: path.endsWith('.sh') ? 0o755 : 0o644 });
  }
  return await installation.ok('upload', source);
}

async function output(...words: string[]): Promise<string> {
  const uuid = await installation.ok('run', ...words);
  const { state, metadata } = await installation.finished(uuid);
  expect({ state, failure: metadata['failure_message'] }).toEqual({ state: 'ready', failure: undefined });
  return await installation.ok('cat', `${uuid}/stdout`);
}

async function failure(...words: string[]): Promise<unknown> {
  const uuid = await installation.ok('run', ...words);
  const { state, metadata } = await installation.finished(uuid);
  expect(state).toBe('failed');
  return metadata['failure_message'];
}

const entries = () => join(installation.home, 'worker', 'cache', 'entries');
const cached = () => readdirSync(entries()).filter((name) => /\.(tree|file|program)$/.test(name));
const downloads = () => installation.log('worker').match(/dependency cached/g)?.length ?? 0;

async function restart(...words: string[]): Promise<void> {
  await end(installation.worker, 'SIGTERM');
  await installation.startWorker(words);
}

describe('on the machine of the server', () => {
  it('files are linked, not copied, and used again without being fetched', async () => {
    const uuid = await upload({ 'a.txt': 'linked', 'deep/run.sh': '#!/bin/sh\necho ran\n' });

    expect(await output(`in:${uuid}`, 'cat in/a.txt; in/deep/run.sh')).toBe('linkedran');
    const [name] = cached();
    const file = join(entries(), String(name), 'a.txt');
    expect(statSync(file).nlink).toBeGreaterThan(1);
    const before = downloads();
    expect(await output(`other:${uuid}`, 'cat other/a.txt')).toBe('linked');
    expect(downloads()).toBe(before);
  });
});

describe('elsewhere', () => {
  beforeAll(async () => {
    const nowhere = join(directory, 'nowhere');
    await restart('--local-store', nowhere);
  });

  it('what somebody has damaged on the worker is fetched again', async () => {
    const uuid = await upload({ 'a.txt': 'right', 'b.txt': 'other' });
    expect(await output(`in:${uuid}`, 'cat in/a.txt')).toBe('right');
    const damaged = cached()
      .map((name) => join(entries(), name, 'a.txt'))
      .find((path) => existsSync(path) && readFileSync(path, 'utf8') === 'right');
    chmodSync(String(damaged), 0o644);
    writeFileSync(String(damaged), 'wrong');
    chmodSync(String(damaged), 0o444);

    expect(await output(`in:${uuid}`, 'cat in/a.txt')).toBe('right');
    expect(installation.log('worker')).toMatch(/a cached dependency is damaged and is fetched again/);
  });

  it('runs that wait have their inputs fetched before they start', async () => {
    await restart('--local-store', join(directory, 'nowhere'), '--slots', '1');
    const uuid = await upload({ 'a.txt': 'fetched ahead' });
    const before = downloads();
    const first = await installation.ok('run', 'while [ ! -e go ]; do sleep 0.1; done');
    await installation.inState(first, 'running');

    const second = await installation.ok('run', `in:${uuid}`, 'cat in/a.txt');
    await eventually('download', () => downloads() > before || undefined);
    expect((await installation.bundle(second)).state).toBe('staged');
    await installation.ok('write', `${first}/go`, 'now');

    expect((await installation.finished(second)).state).toBe('ready');
    expect(downloads()).toBe(before + 1);
  });

  it('the least recently used go, with their bytes, when the limit is passed', async () => {
    await restart('--local-store', join(directory, 'nowhere'), '--max-work-dir-size', '100k');
    const letters = ['a', 'b', 'c'];
    for (const letter of letters) {
      const uuid = await upload({ file: letter.repeat(60_000) });
      expect(await output(`in:${uuid}`, 'head -c 1 in/file')).toBe(letter);
    }

    await eventually('room', () => cached().length === 1 || undefined);
    const store = join(installation.home, 'worker', 'cache', 'store');
    await eventually('no bytes of the others', () => {
      const large = readdirSync(store, { recursive: true, withFileTypes: true }).filter(
        (one) => one.isFile() && statSync(join(one.parentPath, one.name)).size === 60_000,
      );
      return large.length === 1 || undefined;
    });
  });
});

describe('keys', () => {
  it('`.` on another run leaves its output out, and the results hold no link', async () => {
    const parent = await installation.ok('run', 'echo earlier; echo result > result');
    await installation.finished(parent);
    const child = await installation.ok('run', `.:${parent}`, 'cat result; ls -1 | wc -l; echo mine > mine');
    expect((await installation.finished(child)).state).toBe('ready');

    expect(await installation.ok('cat', `${child}/stdout`)).toBe('result\n3');
    expect(await installation.ok('cat', child)).not.toMatch(/^result/m);
  });

  it.each([
    ['`.` on a file', '.', /only a directory can fill the run's directory/],
    ['a key where output goes', 'stdout', /is where the run's own output goes/],
  ])('%s fails the run in words', async (_, key, words) => {
    const file = join(directory, 'single');
    writeFileSync(file, 'text');
    const uuid = await installation.ok('upload', file);

    expect(await failure(`${key}:${uuid}`, 'true')).toMatch(words);
  });

  it('a directory that `.` brings along and another key of the same name fail the run in words', async () => {
    const uuid = await upload({ 'data/x': '', other: '' });

    expect(await failure(`.:${uuid}`, `data:${uuid}`, 'true')).toMatch(/has an entry data/);
  });
});
