/* Inputs of runs and parts of makes, as users name them: every kind of key, and everything that can be wrong with one. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { end, Installation } from '../support/installation.ts';

let installation: Installation;
let directory: string;
let corpus: string;
let note: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-dependencies-'));
  mkdirSync(join(directory, 'links'));
  installation = await Installation.start('sandbox', { CODALAB_LINK_MOUNTS: join(directory, 'links') });
  const source = join(directory, 'corpus');
  mkdirSync(join(source, 'train', 'deep'), { recursive: true });
  writeFileSync(join(source, 'train', 'a.txt'), 'alpha\n');
  writeFileSync(join(source, 'train', 'deep', 'b.txt'), 'beta\n');
  writeFileSync(join(source, 'test.txt'), 'gamma\n');
  writeFileSync(join(source, 'tool'), '#!/bin/sh\necho tool "$@"\n', { mode: 0o755 });
  symlinkSync('train/a.txt', join(source, 'first'));
  corpus = await installation.ok('upload', source);
  note = await installation.ok('upload', '-c', 'note', '-n', 'note');
});
afterAll(async () => {
  await installation.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** What a run with these words prints. */
async function output(...words: string[]): Promise<{ uuid: string; stdout: string }> {
  const uuid = await installation.ok('run', ...words);
  const { state, metadata } = await installation.finished(uuid);
  const stderr = (await installation.cl(['cat', `${uuid}/stderr`])).stdout;
  expect({ state, failure: metadata['failure_message'], stderr }).toMatchObject({ state: 'ready' });
  return { uuid, stdout: (await installation.cl(['cat', `${uuid}/stdout`])).stdout };
}

/** The end of a run or make that must fail. */
async function failure(uuid: string): Promise<string> {
  const { state, metadata } = await installation.finished(uuid);
  expect(state).toBe('failed');
  return String(metadata['failure_message']);
}

describe('keys', () => {
  it('stand for files, directories and paths in them, as often as one likes', async () => {
    const { uuid, stdout } = await output(
      `all:${corpus}`,
      `again:${corpus}`,
      `part:${corpus}/train`,
      `file:${corpus}/train/deep/b.txt`,
      `a/b/c:${corpus}/test.txt`,
      `a/b2:${note}`,
      ':note',
      'cat all/train/a.txt again/first part/deep/b.txt file a/b/c a/b2 note; all/tool used; ls -1 a; ls -1d a/*',
    );
    expect(stdout).toBe('alpha\nalpha\nbeta\nbeta\ngamma\nnotenotetool used\nb\nb2\na/b\na/b2\n');
    expect(
      (await installation.ok('cat', uuid)).split('\n').map((line) => line.split(/\s+/)[0]),
    ).not.toContain('all');
    for (const [path, text] of [
      ['all/train/a.txt', 'alpha\n'],
      ['part/deep/b.txt', 'beta\n'],
      ['file', 'beta\n'],
      ['a/b/c', 'gamma\n'],
      ['a/b2', 'note'],
    ] as const)
      expect((await installation.cl(['cat', `${uuid}/${path}`])).stdout).toBe(text);
    expect((await installation.cl(['cat', `${uuid}/a`])).code).toBe(1);
    expect((await installation.cl(['cat', `${uuid}/all/nothing`])).code).toBe(1);
  });

  it('`.` puts every entry where the command is, beside other keys', async () => {
    const { uuid, stdout } = await output(
      `.:${corpus}/train`,
      `more:${note}`,
      'cat a.txt deep/b.txt more; echo x > new',
    );
    expect(stdout).toBe('alpha\nbeta\nnote');
    expect((await installation.cl(['cat', `${uuid}/new`])).stdout).toBe('x\n');
    expect((await installation.cl(['cat', `${uuid}/deep/b.txt`])).stdout).toBe('beta\n');
    const listing = await installation.ok('cat', uuid);
    for (const hidden of ['a.txt', 'deep', 'more']) expect(listing).not.toContain(hidden);
  });

  it('absolute ones lie outside of the run, and leave nothing behind', async () => {
    const { uuid, stdout } = await output(`/sheaf/in/put:${corpus}/train`, 'cat /sheaf/in/put/a.txt; ls -A');
    expect(stdout).toBe('alpha\nstderr\nstdout\n');
    expect((await installation.cl(['cat', `${uuid}/sheaf/in/put`])).code).toBe(1);
  });

  it('cannot be written to', async () => {
    const { stdout } = await output(
      `in:${corpus}`,
      'for f in in/new in/train/a.txt; do (echo x > $f) 2>/dev/null && echo wrote; done; rm -f in/test.txt 2>/dev/null; cat in/test.txt',
    );
    expect(stdout).toBe('gamma\n');
  });

  it('may be those of a running parent: the child waits, and then has what came out', async () => {
    const parent = await installation.ok(
      'run',
      'echo half; while [ ! -e go ]; do sleep 0.1; done; echo whole > result',
    );
    const child = await installation.ok('run', `in:${parent}/result`, 'cat in');
    await installation.inState(parent, 'running');
    const { state, state_details } = await installation.bundle(child);
    expect(state).toBe('created');
    expect(state_details).toContain('Waiting');
    await installation.ok('write', `${parent}/go`, 'now');
    expect((await installation.finished(child)).state).toBe('ready');
    expect((await installation.cl(['cat', `${child}/stdout`])).stdout).toBe('whole\n');
  });

  it.each([
    [['a:note', 'a/b:note', 'x'], 'Key a is an ancestor of key a/b'],
    [['../a:note', 'x'], "child_path must not contain '..'"],
    [['a/../../b:note', 'x'], "child_path must not contain '..'"],
    [['/:note', 'x'], 'child_path must name a place below /'],
    [['a b:note', 'x'], 'child_path must match'],
    [['a:note/../../etc', 'x'], "parent_path must not contain '..'"],
    [['a:note', 'a:0x12345678901234567890123456789012', 'x'], 'key a exists with multiple values'],
    [['a:no-such-bundle', 'x'], 'no-such-bundle'],
    [['a:prod::note', 'x'], 'prod'],
    [['a:', 'x'], 'names no bundle'],
  ])('cl run %j is refused before anything is made', async (words, problem) => {
    const before = await installation.ok('search', '.count');
    const { code, stdout, stderr } = await installation.cl(['run', ...words]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(problem);
    expect(await installation.ok('search', '.count')).toBe(before);
  });
});

describe('parents', () => {
  it('that are missing, or have not what is wanted, fail the run before a worker is asked', async () => {
    const nobody = `0x${'5'.repeat(32)}`;
    expect(await failure(await installation.ok('run', `a:${nobody}`, 'x'))).toBe(
      `Missing parent bundles: ${nobody}`,
    );
    const run = await installation.ok('run', `a:${corpus}/train/c.txt`, 'x');
    expect(await failure(run)).toBe(
      `Invalid dependency a: there is nothing at train/c.txt in corpus(${corpus}).`,
    );
    expect((await installation.bundle(run)).metadata['remote_history']).toEqual([]);
  });

  it('that failed or were killed are taken only with --allow-failed-dependencies', async () => {
    const failed = await installation.ok('run', '-n', 'bad', 'echo left > over; exit 3');
    const killed = await installation.ok('run', '-n', 'long', 'echo some > thing; touch here; sleep 600');
    await eventually('the command to write', async () =>
      (await installation.cl(['cat', `${killed}/here`])).code === 0 ? true : undefined,
    );
    await installation.ok('kill', killed);
    await installation.finished(killed);
    await installation.finished(failed);
    const words = [`f:${failed}`, `k:${killed}`];

    expect((await failure(await installation.ok('run', ...words, 'x'))).trim()).toBe(
      `Parent bundles failed: bad(${failed}) Parent bundles were killed: long(${killed}) ` +
        '(Please use the --allow-failed-dependencies flag to depend on results of failed or killed bundles)',
    );
    expect(await failure(await installation.ok('make', `k:${killed}`))).toContain(
      `Parent bundles were killed: long(${killed})`,
    );

    const { stdout } = await output(...words, 'cat f/over k/thing', '--allow-failed-dependencies');
    expect(stdout).toBe('left\nsome\n');
    const made = await installation.ok('make', ...words, '--allow-failed-dependencies');
    expect((await installation.finished(made)).state).toBe('ready');
    expect((await installation.cl(['cat', `${made}/f/over`])).stdout).toBe('left\n');
  });

  it('that are links are read as they are now', async () => {
    const place = join(directory, 'links', 'data');
    writeFileSync(place, 'first\n');
    const link = await installation.ok('upload', '--link', place);
    expect((await output(`in:${link}`, 'cat in')).stdout).toBe('first\n');
    expect((await output(`in:${link}`, 'cat in # again')).stdout).toBe('first\n');
    writeFileSync(place, 'second\n');
    expect((await output(`in:${link}`, 'cat in')).stdout).toBe('second\n');
  });
});

describe('cl make', () => {
  it('puts parts under their keys, or is its only part', async () => {
    const uuid = await installation.ok(
      'make',
      `x/y:${corpus}/train`,
      `n:${note}`,
      `link:${corpus}`,
      '-n',
      'mixed',
      '--tags',
      'a',
      'b',
    );
    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('info', uuid, '-f', 'name,tags,bundle_type')).toBe(
      "mixed\t['a', 'b']\tmake",
    );
    const target = join(directory, 'mixed');
    await installation.ok('download', uuid, '-o', target);
    expect(readFileSync(join(target, 'x/y/deep/b.txt'), 'utf8')).toBe('beta\n');
    expect(readFileSync(join(target, 'link/first'), 'utf8')).toBe('alpha\n');

    const whole = await installation.ok('make', `${corpus}/test.txt`);
    expect((await installation.finished(whole)).metadata['name']).toBe('test.txt');
    expect((await installation.cl(['cat', whole])).stdout).toBe('gamma\n');
    // A uuid is no name; the bundle has one.
    const renamed = await installation.ok('make', corpus);
    expect((await installation.bundle(renamed)).metadata['name']).toBe('corpus');
    expect((await output(`in:${renamed}`, 'in/tool made')).stdout).toBe('tool made\n');
  });

  it.each([
    [['note', 'note'], 'Must specify keys when packaging multiple targets!'],
    [['a:note', 'note'], 'Must specify keys when packaging multiple targets!'],
    [['a:note', 'a:note'], 'Duplicate key: a'],
    [['a:note', 'a/b:note'], 'Key a is an ancestor of key a/b'],
    [['/a:note'], 'must not be absolute'],
    [['../a:note'], "child_path must not contain '..'"],
    [['a:'], 'names no bundle'],
    [['a:nowhere::note'], 'nowhere'],
    [['note', '--store', 'none-such'], 'No bundle store is named none-such'],
    [['note', '-d', 'é'], 'unicode'],
  ])('refuses %j', async (words, problem) => {
    const { code, stdout, stderr } = await installation.cl(['make', ...words]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(problem);
  });

  it('says on the bundle what is missing, and refuses links as parts', async () => {
    expect(await failure(await installation.ok('make', `a:${corpus}/none`))).toMatch(
      new RegExp(`^Invalid dependency ${corpus}/none`),
    );
    expect(await failure(await installation.ok('make', `a:${corpus}/first`))).toContain('it is a link');
  });

  it('explains itself', async () => {
    const help = await installation.ok('make', '--help');
    for (const word of ['--allow-failed-dependencies', '--store', '--worksheet-spec', 'cl make train:corpus'])
      expect(help).toContain(word);
    expect((await installation.cl(['make'])).code).toBe(2);
  });

  it('begins anew where the server was killed in the middle', async () => {
    const place = join(directory, 'links', 'large');
    writeFileSync(place, '');
    truncateSync(place, 384 * 1024 * 1024);
    const link = await installation.ok('upload', '--link', place);
    const uuid = await installation.ok('make', `large:${link}`, `note:${note}`);
    await installation.inState(uuid, 'making');
    await end(installation.server, 'SIGKILL');
    await installation.startServer();
    const { state, metadata } = await installation.finished(uuid);
    expect({ state, size: metadata['data_size'] }).toEqual({ state: 'ready', size: 384 * 1024 * 1024 + 4 });
    expect((await installation.cl(['cat', `${uuid}/note`])).stdout).toBe('note');
  });
});
