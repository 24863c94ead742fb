/* Run directories on disk: how large they are, whose they are, and whether they can be read and removed. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTree } from '../open-tree.ts';
import { silent } from '../testing/worker-bench.ts';
import { runMessageFor } from '../testing/run-message.ts';
import { measureDirectory } from './disk-usage.ts';
import { newRecord } from './record.ts';
import { makeRunDirectory, removeRunDirectory } from './run-directory.ts';
import { SavedRuns } from './saved-runs.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-disk-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the size of a directory', () => {
  it('is that of its files; links and directories cost nothing', async () => {
    mkdirSync(join(directory, 'a/b'), { recursive: true });
    writeFileSync(join(directory, 'a/one'), 'x'.repeat(100));
    writeFileSync(join(directory, 'a/b/two'), 'x'.repeat(23));
    symlinkSync('/etc', join(directory, 'a/link'));

    expect(await measureDirectory(directory)).toEqual({ bytes: 123, closed: false });
    expect(await measureDirectory(join(directory, 'nothing'))).toEqual({ bytes: 0, closed: false });
  });

  it('is known of very many files', async () => {
    const file = join(directory, 'one');
    writeFileSync(file, 'x'.repeat(3));
    for (let part = 0; part < 10; part += 1) {
      mkdirSync(join(directory, String(part)));
      for (let number = 0; number < 1000; number += 1) linkSync(file, join(directory, `${part}/${number}`));
    }

    expect((await measureDirectory(directory)).bytes).toBe(3 * 10_001);
  });

  it('is known while files come and go', async () => {
    const signal = new AbortController();
    const busy = (async () => {
      for (let number = 0; !signal.signal.aborted; number += 1) {
        const path = join(directory, `d${number % 7}`);
        await mkdir(join(path, 'deep'), { recursive: true });
        await writeFile(join(path, 'deep/file'), 'xx');
        await rm(join(directory, `d${(number + 3) % 7}`), { recursive: true, force: true });
      }
    })();
    for (let round = 0; round < 200; round += 1) {
      expect((await measureDirectory(directory)).bytes).toBeLessThanOrEqual(14);
    }
    signal.abort();
    await busy;
  });

  it('says where it could not look', async () => {
    // A path that is longer than the system takes: made step by step, as a command can.
    const name = 'n'.repeat(250);
    const steps = `for i in ${'x '.repeat(17)}; do mkdir ${name} && cd ${name} || exit 1; done; echo hidden >file`;
    execFileSync('bash', ['-c', steps], { cwd: directory });
    writeFileSync(join(directory, 'seen'), 'four');

    expect(await measureDirectory(directory)).toEqual({ bytes: 4, closed: true });
    execFileSync('rm', ['-rf', join(directory, name)]);
  });

  it.runIf(process.getuid?.() === 0)('says so too of what is closed to an ordinary user', async () => {
    mkdirSync(join(directory, 'closed'));
    writeFileSync(join(directory, 'closed/file'), 'secret');
    chmodSync(join(directory, 'closed'), 0o000);
    chmodSync(directory, 0o755);
    writeFileSync(join(directory, 'seen'), 'four');
    process.seteuid?.(65_534);
    try {
      expect(await measureDirectory(directory)).toEqual({ bytes: 4, closed: true });
    } finally {
      process.seteuid?.(0);
    }
  });

  it('is not waited for when nobody wants it any more', async () => {
    writeFileSync(join(directory, 'one'), '');

    await expect(measureDirectory(directory, AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
  });
});

describe('a run directory', () => {
  const path = () => join(directory, 'run');

  it('begins empty, whatever was there', async () => {
    mkdirSync(path());
    writeFileSync(join(path(), 'old'), '');

    await makeRunDirectory(path(), undefined);

    expect(existsSync(join(path(), 'old'))).toBe(false);
    await removeRunDirectory(path(), undefined);
    expect(existsSync(path())).toBe(false);
  });

  it('that workers share keeps what the attempt before has left', async () => {
    await makeRunDirectory(path(), { worker: 'a', epoch: 1 });
    writeFileSync(join(path(), 'checkpoint'), '');

    await makeRunDirectory(path(), { worker: 'b', epoch: 2 });

    expect(existsSync(join(path(), 'checkpoint'))).toBe(true);
  });

  it('that workers share is removed only by the last of them', async () => {
    await makeRunDirectory(path(), { worker: 'a', epoch: 1 });
    await makeRunDirectory(path(), { worker: 'b', epoch: 2 });

    await removeRunDirectory(path(), { worker: 'a', epoch: 1 });
    expect(existsSync(path())).toBe(true);

    await removeRunDirectory(path(), { worker: 'b', epoch: 2 });
    expect(existsSync(path())).toBe(false);
  });
});

it('opens what a command has closed to its owner', async () => {
  mkdirSync(join(directory, 'closed/deeper'), { recursive: true });
  writeFileSync(join(directory, 'closed/deeper/file'), '');
  chmodSync(join(directory, 'closed/deeper/file'), 0o010);
  chmodSync(join(directory, 'closed/deeper'), 0o000);
  chmodSync(join(directory, 'closed'), 0o500);

  await openTree(directory);

  const mode = (path: string) => statSync(join(directory, path)).mode & 0o777;
  expect([mode('closed'), mode('closed/deeper'), mode('closed/deeper/file')]).toEqual([0o700, 0o700, 0o410]);
});

describe('saved records', () => {
  const record = () => newRecord(runMessageFor(), 0);

  it('are the newest after many saves at once', async () => {
    const saved = await SavedRuns.open(directory, silent);
    const one = record();
    const saving: Promise<void>[] = [];
    for (let memory = 1; memory <= 50; memory += 1) {
      one.usage.memoryMax = memory;
      saving.push(saved.save(one));
    }
    await Promise.all(saving);

    expect((await saved.load())[0]?.usage.memoryMax).toBe(50);
    expect(execFileSync('ls', [directory], { encoding: 'utf8' })).toBe(`${one.uuid}.json\n`);
  });

  it('are gone after their removal, also when one was just being written', async () => {
    const saved = await SavedRuns.open(directory, silent);
    const one = record();
    const saving = [saved.save(one), saved.save(one)];

    await saved.remove(one.uuid);
    await Promise.all(saving);

    expect(await saved.load()).toEqual([]);
  });

  it('do not stay unwritten after a write that failed', async () => {
    const place = join(directory, 'place');
    const saved = await SavedRuns.open(place, silent);
    rmSync(place, { recursive: true });
    await expect(saved.save(record())).rejects.toThrow();
    mkdirSync(place);

    await saved.save(record());

    expect(await saved.load()).toHaveLength(1);
  });
});
