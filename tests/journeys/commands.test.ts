/* Each command of `cl`, against a real server and worker. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { run } from '../support/programs.ts';

const uuidPattern = /^0x[0-9a-f]{32}$/;
let installation: Installation;
let directory: string;
beforeAll(async () => {
  installation = await Installation.start('sandbox');
  directory = mkdtempSync(join(installation.home, 'files-'));
});
afterAll(() => installation.stop());

const file = (name: string, content: string): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};

describe('upload, cat, info, download', () => {
  it('a file comes back byte for byte, and its uuid is all that is on stdout', async () => {
    const bytes = 'one\ntwo\r\nthree without end';

    const uuid = await installation.ok('upload', file('plain.txt', bytes));

    expect(uuid).toMatch(uuidPattern);
    expect((await installation.cl(['cat', uuid])).stdout).toBe(bytes);
    expect(await installation.ok('info', uuid, '-f', 'name,state,data_size')).toBe(
      `plain.txt\tready\t${bytes.length}`,
    );
  });

  it('a directory keeps names, links and executability', async () => {
    const source = join(directory, 'tree');
    mkdirSync(join(source, 'sub', 'empty'), { recursive: true });
    writeFileSync(join(source, 'sub', 'data'), 'data');
    writeFileSync(join(source, 'tool'), '#!/bin/sh\necho tool\n');
    chmodSync(join(source, 'tool'), 0o755);
    symlinkSync('sub/data', join(source, 'link'));

    const uuid = await installation.ok('upload', source);
    const target = join(directory, 'tree-back');
    await installation.ok('download', uuid, '-o', target);

    expect(readFileSync(join(target, 'sub/data'), 'utf8')).toBe('data');
    expect(readFileSync(join(target, 'link'), 'utf8')).toBe('data');
    expect(existsSync(join(target, 'sub/empty'))).toBe(true);
    expect(statSync(join(target, 'tool')).mode & 0o111).not.toBe(0);
    expect((await installation.cl(['cat', `${uuid}/sub/data`])).stdout).toBe('data');
    expect(await installation.ok('cat', uuid)).toContain('tool');
  });

  it.each([
    ['tar.gz', (source: string, archive: string) => run('tar', ['czf', archive, '-C', source, '.'])],
    [
      'zip',
      (source: string, archive: string) => run('python3', ['-m', 'zipfile', '-c', archive, `${source}/`]),
    ],
  ])('a .%s is unpacked', async (extension, pack) => {
    const source = join(directory, `pack-${extension}`);
    mkdirSync(source);
    writeFileSync(join(source, 'inside'), 'packed');
    const archive = join(directory, `archive.${extension}`);
    expect((await pack(source, archive)).code).toBe(0);

    const uuid = await installation.ok('upload', archive);

    expect(await installation.ok('info', uuid, '-f', 'name')).toBe('archive');
    const listing = await installation.ok('cat', uuid);
    expect(listing).toContain(extension === 'zip' ? 'pack-zip' : 'inside');
  });

  it('text on the command line becomes a bundle', async () => {
    const uuid = await installation.ok('upload', '-c', 'hello', '-n', 'greeting');

    expect((await installation.cl(['cat', 'greeting'])).stdout).toBe('hello');
    expect(await installation.ok('info', 'greeting', '-f', 'uuid')).toBe(uuid);
  });

  it('the same content twice is stored once, and read twice', async () => {
    const path = file('twice', 'x'.repeat(100_000));

    const first = await installation.ok('upload', path);
    const second = await installation.ok('upload', path);

    const [one, two] = await Promise.all([installation.bundle(first), installation.bundle(second)]);
    expect(one.contents_digest).toMatch(/^[0-9a-f]{64}$/);
    expect(two.contents_digest).toBe(one.contents_digest);
  });

  it('a missing bundle, a missing path and an ambiguous uuid each say what is meant', async () => {
    const missing = await installation.cl(['info', 'no-such-name']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('no-such-name');
    expect(missing.stderr).not.toMatch(/^\s+at /m);

    const uuid = await installation.ok('upload', '-c', 'x');
    const path = await installation.cl(['cat', `${uuid}/nothing/here`]);
    expect(path.code).toBe(1);

    const ambiguous = await installation.cl(['info', '0x']);
    expect(ambiguous.code).toBe(1);
  });
});

describe('run, wait, kill, write', () => {
  it('shows output as it is written', async () => {
    let whenFirst = '';
    let released = false;
    const ran = await installation.cl(
      ['run', 'echo first; until [ -e go ]; do sleep 0.05; done; echo second; echo to stderr >&2', '--tail'],
      {
        onStdout: (text) => {
          whenFirst += text;
          const uuid = whenFirst.split('\n')[0] ?? '';
          if (!released && whenFirst.includes('first\n')) {
            released = true;
            // The run can only end because its first line arrived while it was running.
            writeFileSync(join(installation.home, 'worker', 'runs', uuid, 'go'), '');
          }
        },
      },
    );

    expect(released).toBe(true);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('second\n');
    expect(ran.stdout + ran.stderr).toContain('to stderr\n');
  });

  it('mounts what it depends on read-only, under the keys given, and leaves them out of the result', async () => {
    const data = await installation.ok('upload', file('numbers', '3\n1\n2\n'));

    const uuid = await installation.ok(
      'run',
      `a:${data}`,
      `deep/b:${data}`,
      'sort a > sorted; cat deep/b; echo no > a',
    );
    await installation.cl(['wait', uuid]);

    expect(await installation.ok('cat', `${uuid}/sorted`)).toBe('1\n2\n3');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('3\n1\n2');
    expect(await installation.ok('cat', `${uuid}/stderr`)).toMatch(/read-only/i);
    const listing = await installation.ok('cat', uuid);
    expect(listing).not.toMatch(/^deep/m);
    // The key still leads to the parent's contents.
    expect(await installation.ok('cat', `${uuid}/a`)).toBe('3\n1\n2');
  });

  it('waits for what it depends on, and fails with it', async () => {
    const parent = await installation.ok('run', 'exit 3');
    const child = await installation.ok('run', `p:${parent}`, 'true');

    const bundle = await installation.finished(child);

    expect(bundle.state).toBe('failed');
    expect(bundle.metadata['failure_message']).toContain('Please use the --allow-failed-dependencies flag');
  });

  it('excludes what the patterns say', async () => {
    const uuid = await installation.ok(
      'run',
      'touch hi.txt bye.txt goodbye.txt',
      '--exclude-patterns',
      '*bye*.txt',
    );
    await installation.finished(uuid);

    const listing = await installation.ok('cat', uuid);
    expect(listing).toContain('hi.txt');
    expect(listing).not.toContain('bye.txt');
  });

  it('says which runtime was used', async () => {
    const uuid = await installation.ok('run', 'true');
    await installation.finished(uuid);

    expect(await installation.ok('info', uuid)).toMatch(/sandbox/);
    expect(await installation.ok('workers')).toMatch(/sandbox/);
  });
});

describe('ls, search, rm, status, work, new, print, help', () => {
  it('a new worksheet becomes the current one, holds what is made on it, and is printed', async () => {
    const worksheet = await installation.ok('new', 'notes');
    expect(worksheet).toMatch(uuidPattern);
    await installation.ok('work', 'notes');
    const uuid = await installation.ok('upload', '-c', 'on the sheet', '-n', 'sheeted');

    expect(await installation.ok('work', '-u')).toBe(worksheet);
    expect(await installation.ok('ls', '-u')).toBe(uuid);
    expect(await installation.ok('print')).toContain('sheeted');
    expect(await installation.ok('status')).toContain('notes');
    await installation.ok('work', '/');
  });

  it('search finds by state and name', async () => {
    const uuid = await installation.ok('upload', '-c', 'needle', '-n', 'findable');

    expect(await installation.ok('search', 'name=findable', 'state=ready', '-u')).toBe(uuid);
    expect(await installation.ok('search', 'name=findable', '.count')).toBe('1');
  });

  it('rm refuses what others depend on, and removes with --force', async () => {
    const parent = await installation.ok('upload', '-c', 'parent');
    const child = await installation.ok('run', `p:${parent}`, 'true');
    await installation.finished(child);

    const refused = await installation.cl(['rm', parent]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(child);

    expect(await installation.ok('rm', '--force', parent)).toBe(parent);
    expect((await installation.cl(['info', parent])).code).toBe(1);
  });

  it('help lists every command, and an unknown one is refused with exit 2', async () => {
    const help = await installation.ok('help');
    for (const command of [
      'run',
      'upload',
      'cat',
      'info',
      'ls',
      'wait',
      'kill',
      'rm',
      'download',
      'search',
      'workers',
      'status',
      'work',
      'new',
      'print',
    ]) {
      expect(help).toMatch(new RegExp(`^\\s*${command}\\b`, 'm'));
    }
    expect((await installation.cl(['no-such-command'])).code).toBe(2);
    expect((await installation.cl(['run', '--no-such-flag', 'true'])).code).toBe(2);
  });

  it('a server that is away is one sentence, not a stack', async () => {
    const away = await installation.cl(['status'], {
      env: { CODALAB_HOME: join(directory, 'elsewhere'), SHEAF_HOME: join(directory, 'nowhere') },
    });

    expect(away.code).toBe(1);
    expect(away.stderr).not.toMatch(/^\s+at /m);
    expect(away.stderr).toMatch(/127\.0\.0\.1:2900/);
  });
});
