import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory, LockedProblem } from './lock.ts';
import { processIdentity } from './process-identity.ts';
import { openWorkDirectory, removeWorkDirectory } from './work-directory.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-work-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A lock as another process has written it. */
const writeLock = (path: string, holder: { id: string; host?: string; process: string }, beat = '0') =>
  writeFileSync(path, JSON.stringify({ host: hostname(), nonce: holder.id, beat, ...holder }));
const alive = () => processIdentity(process.ppid);

describe('a work directory', () => {
  const work = () => join(directory, 'deep', 'work');
  const open = (id: string, preemptible = false) =>
    openWorkDirectory({ workDirectory: work(), id, preemptible });

  it('is made for the group to look into, whatever the umask', async () => {
    const before = process.umask(0o077);
    const { lock } = await open('a').finally(() => process.umask(before));

    expect(statSync(work()).mode & 0o777).toBe(0o770);
    await lock.release();
  });

  it('is one worker’s as long as nobody else is there, and others get a part', async () => {
    mkdirSync(work(), { recursive: true });
    writeLock(join(work(), 'worker.lock'), { id: 'first', process: await alive() });

    const second = await open('second/2');
    expect(second.paths.root).toBe(join(work(), 'workers', 'second%2F2'));
    expect(second.paths.runs).toBe(join(second.paths.root, 'runs'));
    await second.lock.release();

    // The first is gone; the second comes back to its own runs.
    rmSync(join(work(), 'worker.lock'));
    const again = await open('second/2');
    expect(again.paths.root).toBe(second.paths.root);
    expect(again.identity).toBe(second.identity);
    const third = await open('third');
    expect(third.paths.root).toBe(work());
    await again.lock.release();
    await third.lock.release();
  });

  it('takes no two workers of one name', async () => {
    mkdirSync(work(), { recursive: true });
    writeLock(join(work(), 'worker.lock'), { id: 'same', process: await alive() });

    await expect(open('same')).rejects.toThrow(
      `Another worker (process ${process.ppid}) uses ${work()}: stop it, or give this one another --work-dir.`,
    );
  });

  it('shares run directories on machines that may be taken away', async () => {
    const [one, two] = await Promise.all([open('one', true), open('two', true)]);

    expect(one.paths.runs).toBe(two.paths.runs);
    expect(one.paths.root).not.toBe(two.paths.root);
    expect(one.identity).not.toBe(two.identity);
    await one.lock.release();
    await two.lock.release();
  });

  it('that cannot be made is named in one sentence', async () => {
    writeFileSync(join(directory, 'deep'), '');

    await expect(open('a')).rejects.toThrow(
      /^The worker cannot work in .*deep\/work \(.*\): choose another --work-dir\.$/,
    );
  });

  it('goes at the end, but for what is not the worker’s', async () => {
    const first = await open('first');
    writeFileSync(join(first.paths.runs, 'x'), '');
    await removeWorkDirectory(first, work());
    expect(existsSync(work())).toBe(false);

    mkdirSync(work());
    writeFileSync(join(work(), 'letters.txt'), 'mine');
    await removeWorkDirectory(await open('second'), work());
    expect(readdirSync(work())).toEqual(['letters.txt']);
  });

  it('has room for a worker with any name', async () => {
    mkdirSync(work(), { recursive: true });
    writeLock(join(work(), 'worker.lock'), { id: 'first', process: await alive() });
    const [one, other] = [await open('@'.repeat(127)), await open(`${'@'.repeat(126)}é`)];

    expect(one.paths.root).not.toBe(other.paths.root);
    expect(statSync(one.paths.root).isDirectory()).toBe(true);
    await Promise.all([one.lock.release(), other.lock.release()]);
    const again = await open('@'.repeat(127));
    expect(again.identity).toBe(one.identity);
    await again.lock.release();
  });

  it('stays for the others that live in it', async () => {
    mkdirSync(work(), { recursive: true });
    writeLock(join(work(), 'worker.lock'), { id: 'first', process: await alive() });
    mkdirSync(join(work(), 'runs'));
    writeFileSync(join(work(), 'runs', 'of-the-first'), '');

    await removeWorkDirectory(await open('second'), work());
    expect(readdirSync(work()).toSorted()).toEqual(['runs', 'worker.lock']);

    await removeWorkDirectory(await open('third', true), work());
    expect(readdirSync(work()).toSorted()).toEqual(['runs', 'worker.lock']);
    expect(readdirSync(join(work(), 'runs'))).toEqual(['of-the-first']);
  });
});

describe('the lock', () => {
  const path = () => join(directory, 'lock');
  const options = { id: 'mine', shown: 'work', beatEvery: 10, patience: 300 };

  it('of a process that is gone is taken over', async () => {
    const child = spawn('sleep', ['60']);
    writeLock(path(), { id: 'other', process: await processIdentity(child.pid ?? 0) });
    await expect(lockDirectory(path(), options)).rejects.toThrow(LockedProblem);

    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await lockDirectory(path(), options);
    expect(readFileSync(path(), 'utf8')).toContain('"id":"mine"');
    await lock.release();
    expect(existsSync(path())).toBe(false);
  });

  it('that somebody has made this very moment is theirs', async () => {
    const first = { id: 'other', process: await alive() };
    writeFileSync(path(), '');
    setTimeout(() => writeLock(path(), first), 100);
    await expect(lockDirectory(path(), options)).rejects.toMatchObject({ holder: 'other' });

    // A machine that lost its power leaves an empty one, too.
    writeFileSync(path(), '');
    await (await lockDirectory(path(), options)).release();
  });

  it('of an earlier version counts, too', async () => {
    writeFileSync(path(), await alive());
    await expect(lockDirectory(path(), options)).rejects.toThrow(`process ${process.ppid}`);

    writeFileSync(path(), '999999999 1');
    await (await lockDirectory(path(), options)).release();
  });

  it('of a worker on another machine is respected while that shows signs of life', async () => {
    const elsewhere = { id: 'other', host: 'elsewhere', process: '1 1' };
    writeLock(path(), elsewhere);
    let beat = 0;
    const beating = setInterval(() => writeLock(path(), elsewhere, String((beat += 1))), 20);

    await expect(lockDirectory(path(), options)).rejects.toThrow('(process 1 on elsewhere)');
    clearInterval(beating);

    await (await lockDirectory(path(), options)).release();
  });

  it('shows signs of life as long as it is held, and never in the lock of another', async () => {
    const lock = await lockDirectory(path(), options);
    const first = readFileSync(path(), 'utf8');
    await eventually('a sign of life', () =>
      Promise.resolve(readFileSync(path(), 'utf8') !== first || undefined),
    );

    rmSync(path());
    writeLock(path(), { id: 'other', process: '1 1' });
    await lock.release();
    expect(readFileSync(path(), 'utf8')).toContain('"id":"other"');
  });
});
