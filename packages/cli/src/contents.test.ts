/** Contents on their way to a server and back, through `cl upload` and `cl download`. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@sheaf/testkit';
import { startProxy } from './testing/proxy.ts';
import { removePrograms, startInstallation, type Installation } from './testing/programs.ts';

const uuidLine = /^0x[0-9a-f]{32}\n$/;
let sheaf: Installation;
let work: string;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'sheaf-cl-work-'));
  sheaf = await startInstallation();
}, 120_000);
afterAll(removePrograms);
afterAll(async () => {
  await sheaf.stop();
  rmSync(work, { recursive: true, force: true });
});

const file = (name: string, contents: string | Buffer): string => {
  const path = join(work, name);
  writeFileSync(path, contents);
  return path;
};

/** A directory with what contents can hold. */
function tree(name: string): string {
  const path = join(work, name);
  mkdirSync(join(path, 'sub'), { recursive: true });
  writeFileSync(join(path, 'a.txt'), 'alpha\n');
  writeFileSync(join(path, 'run.sh'), '#!/bin/sh\n');
  chmodSync(join(path, 'run.sh'), 0o755);
  writeFileSync(join(path, 'sub', 'b.pyc'), 'beta');
  symlinkSync('/nowhere/at/all', join(path, 'link'));
  return path;
}

describe('upload', () => {
  test('a text: the uuid alone on stdout, and the very bytes back', async () => {
    const { code, stdout } = await sheaf.cl(['upload', '-c', 'héllo']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(uuidLine) as string });
    expect(await sheaf.ok('cat', stdout.trim())).toBe('héllo');
    expect(await sheaf.ok('info', '-f', 'name,state,data_size', stdout.trim())).toBe('_\tready\t6');
  });

  test('a binary file, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 37) % 256));
    const uuid = await sheaf.ok('upload', file('bytes.bin', bytes));
    await sheaf.ok('download', uuid, '-o', join(work, 'bytes.out'));
    expect(readFileSync(join(work, 'bytes.out')).equals(bytes)).toBe(true);
  });

  test('a directory comes back as it was: rights, links, everything', async () => {
    const uuid = await sheaf.ok('upload', tree('whole'), '-n', 'whole');
    const listing = (await sheaf.ok('cat', uuid)).split('\n');
    expect(listing.map((line) => line.split(/\s{2,}/)[0])).toEqual([
      'name',
      expect.stringMatching(/^-+$/) as string,
      'a.txt',
      'link -> /nowhere/at/all',
      'run.sh',
      'sub',
    ]);
    const out = join(work, 'whole.out');
    expect(await sheaf.ok('download', uuid, '-o', out)).toBe(`Downloading whole(${uuid}) => ${out}`);
    expect(readFileSync(join(out, 'sub', 'b.pyc'), 'utf8')).toBe('beta');
    expect(readlinkSync(join(out, 'link'))).toBe('/nowhere/at/all');
    expect(statSync(join(out, 'run.sh')).mode & 0o111).toBe(0o111 & ~process.umask());
    expect(statSync(join(out, 'a.txt')).mode & 0o200).toBe(0o200);
  });

  test('the same contents are not sent again, and are there all the same', async () => {
    const large = file('large.bin', Buffer.alloc(3 * 1024 * 1024, 'x'));
    const [one, two] = [await sheaf.ok('upload', large), await sheaf.ok('upload', large)];
    expect(await sheaf.ok('info', '-f', 'data_size', one, two)).toBe('3145728\n3145728');
    const digest = async (uuid: string) =>
      (JSON.parse(await sheaf.ok('info', '--json', uuid)) as [{ contents_digest: string }])[0]
        .contents_digest;
    expect(await digest(two)).toBe(await digest(one));
  });

  test('several paths make a directory, patterns leave out', async () => {
    const [a, dir] = [file('first.txt', '1'), tree('several')];
    const uuid = await sheaf.ok('upload', a, dir, '-x', '*.pyc', 'link');
    expect(await sheaf.ok('info', '-f', 'name', uuid)).toBe('first.txt-several');
    expect(await sheaf.ok('cat', `${uuid}/several`)).not.toMatch(/link|b\.pyc/);
    expect(await sheaf.ok('cat', `${uuid}/first.txt`)).toBe('1');
  });

  test('files that list what to leave out are honoured', async () => {
    const dir = tree('ignoring');
    writeFileSync(join(dir, '.gitignore'), 'a.txt\nsub\n');
    const uuid = await sheaf.ok('upload', dir, '-i', '.gitignore');
    expect(await sheaf.ok('cat', uuid)).toMatch(/run\.sh/);
    expect(await sheaf.ok('cat', uuid)).not.toMatch(/a\.txt|sub/);
  });

  test('archives are unpacked, unless they are to stay packed', async () => {
    const archive = join(work, 'data.tar.gz');
    spawnSync('tar', ['czf', archive, '-C', tree('packed'), '.']);
    const [open, packed] = [await sheaf.ok('upload', archive), await sheaf.ok('upload', '-p', archive)];
    expect(await sheaf.ok('info', '-f', 'name', open, packed)).toBe('data\ndata.tar.gz');
    expect(await sheaf.ok('cat', `${open}/a.txt`)).toBe('alpha');
    const kept = await sheaf.cl(['download', packed, '-o', join(work, 'again.tar.gz')]);
    expect(kept.code).toBe(0);
    expect(readFileSync(join(work, 'again.tar.gz')).equals(readFileSync(archive))).toBe(true);
  });

  test('compression on the way does not show', async () => {
    const uuid = await sheaf.ok('upload', '-z', file('plain.txt', 'plain\n'));
    expect(await sheaf.ok('cat', uuid)).toBe('plain');
    expect(await sheaf.ok('info', '-f', 'name', uuid)).toBe('plain.txt');
  });

  test('standard input', async () => {
    const { stdout } = await sheaf.cl(['upload', '-', '-n', 'piped'], { input: 'from a pipe\n' });
    expect(await sheaf.ok('cat', stdout.trim())).toBe('from a pipe');
  });

  test('links are refused, or followed on demand', async () => {
    const link = join(work, 'to-file');
    symlinkSync(file('target.txt', 'there'), link);
    expect(await sheaf.cl(['upload', link])).toMatchObject({ code: 1, stdout: '' });
    const uuid = await sheaf.ok('upload', '-L', link);
    expect(await sheaf.ok('info', '-f', 'name', uuid)).toBe('target.txt');
  });

  test('a link to the server host is made without looking', async () => {
    const uuid = await sheaf.ok('upload', '-l', '/etc/no-such-thing');
    expect(await sheaf.ok('info', '-f', 'link_url,state,name', uuid)).toBe(
      '/etc/no-such-thing\tready\tno-such-thing',
    );
  });

  test.each([
    [[], 'Nothing to upload'],
    [['x', '-c', 'y'], 'either paths or --contents'],
    [['/no/such/file'], 'There is no file or directory'],
    [['http://a/b', '/etc/hostname'], 'together with a URL'],
    [['http://a/b', 'http://a/c'], 'Only one URL'],
    [['-c', 'x', '-d', 'ü'], 'Metadata cannot contain unicode: description = ü'],
    [['-c', 'x', '--store', 'nowhere'], 'bundle store'],
    [['/etc/hostname', '/tmp/../etc/hostname'], 'have the same name'],
  ])('%j is refused before anything is made', async (words, message) => {
    const before = await sheaf.ok('search', '.mine', '.count');
    const { code, stdout, stderr } = await sheaf.cl(['upload', ...words]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^UsageError: /);
    expect(stderr).toContain(message);
    expect(await sheaf.ok('search', '.mine', '.count')).toBe(before);
  });

  test('a damaged archive fails, and leaves no bundle that waits', async () => {
    const { code, stderr } = await sheaf.cl([
      'upload',
      file('damaged.tar.gz', 'no archive at all'),
      '-n',
      'damaged',
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^UsageError: Upload failed/m);
    expect(await sheaf.ok('info', '-f', 'state', 'damaged')).toBe('failed');
  });

  test('Ctrl-C ends it with 130, and the bundle as failed', async () => {
    const uploading = await sheaf.start(['upload', '-', '-n', 'never'], {
      input: 'begin',
      inputStaysOpen: true,
    });
    const uuid = await eventually('the bundle', async () => {
      const found = await sheaf.ok('search', 'name=never', 'state=uploading', '-u');
      return found === '' ? undefined : found;
    });
    uploading.child.kill('SIGINT');
    expect(await uploading.ended).toMatchObject({ code: 130, stdout: '' });
    expect(await sheaf.ok('info', '-f', 'state', uuid)).toBe('failed');
  });
});

describe('download', () => {
  test('refuses a path that exists, and replaces it on demand', async () => {
    const uuid = await sheaf.ok('upload', '-c', 'new', '-n', 'refusal');
    const path = file('occupied', 'old');
    const { code, stdout, stderr } = await sheaf.cl(['download', uuid, '-o', path]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`Local file/directory '${path}' already exists.`);
    expect(readFileSync(path, 'utf8')).toBe('old');
    await sheaf.ok('download', '-f', uuid, '-o', path);
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  test('a part goes by its own name into the working directory, and nothing is left behind', async () => {
    const uuid = await sheaf.ok('upload', tree('parts'));
    const here = join(work, 'here');
    mkdirSync(here);
    const { code } = await sheaf.cl(['down', `${uuid}/sub/b.pyc`], { cwd: here });
    expect(code).toBe(0);
    expect(spawnSync('ls', ['-A', here], { encoding: 'utf8' }).stdout).toBe('b.pyc\n');
  });

  test('links and missing paths are refused, and leave nothing', async () => {
    const uuid = await sheaf.ok('upload', tree('refused'));
    const out = join(work, 'refused.out');
    expect(await sheaf.cl(['download', `${uuid}/link`, '-o', out])).toMatchObject({ code: 1, stdout: '' });
    expect(await sheaf.cl(['download', `${uuid}/none`, '-o', out])).toMatchObject({ code: 1, stdout: '' });
    expect(lstatSync(out, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('version control and what the Mac adds stay out, as in archives', async () => {
    const dir = tree('hidden');
    mkdirSync(join(dir, '.git'));
    writeFileSync(join(dir, '.git', 'HEAD'), '');
    writeFileSync(join(dir, '._a.txt'), '');
    const uuid = await sheaf.ok('upload', dir);
    await sheaf.ok('download', uuid, '-o', join(work, 'hidden.out'));
    expect(spawnSync('ls', ['-A', join(work, 'hidden.out')], { encoding: 'utf8' }).stdout).toBe(
      'a.txt\nlink\nrun.sh\nsub\n',
    );
  });
});

describe('connections that break', () => {
  const administrator = () => {
    const { username, password } = JSON.parse(
      readFileSync(join(sheaf.home, 'administrator.json'), 'utf8'),
    ) as {
      username: string;
      password: string;
    };
    return { CODALAB_USERNAME: username, CODALAB_PASSWORD: password };
  };

  test('a download goes on where it was', async () => {
    const bytes = Buffer.alloc(8 * 1024 * 1024, 'resumable ');
    const uuid = await sheaf.ok('upload', file('resumed.bin', bytes), '-n', 'resumed.bin');
    const ranges: (string | undefined)[] = [];
    const proxy = await startProxy(sheaf.url, async ({ request, response, pass, fetch }) => {
      if (request.url?.includes('/transfer/blobs/') !== true) return pass();
      ranges.push(request.headers.range);
      if (ranges.length > 1) return pass();
      const { status, headers, body } = await fetch();
      response.writeHead(status, headers);
      response.write(body.subarray(0, 3_000_000), () => setImmediate(() => response.destroy()));
    });
    const out = join(work, 'resumed.out');
    const words = ['download', `${proxy.address}::${uuid}`, '-o', out];
    const first = await sheaf.cl(words, { env: administrator() });
    expect(first.code).toBe(1);
    expect(first.stderr).toContain('Run the same command again');
    expect(lstatSync(out, { throwIfNoEntry: false })).toBeUndefined();
    expect(await sheaf.cl(words, { env: administrator() })).toMatchObject({ code: 0 });
    expect(readFileSync(out).equals(bytes)).toBe(true);
    expect(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1])).toBeGreaterThan(0);
    proxy.close();
  });

  test.each(['interrupted', 'refused'])(
    'a directory whose transfer is %s leaves no bundle that waits',
    async (how) => {
      let stalled = false;
      const proxy = await startProxy(sheaf.url, async ({ request, response, pass }) => {
        if (request.url?.includes('/transfer/') !== true) return pass();
        stalled = true;
        if (how === 'refused') response.writeHead(507).end('No room.');
      });
      const words = ['upload', tree(`broken-${how}`), '-n', `broken-${how}`, '-w', `${proxy.address}::`];
      const uploading = await sheaf.start(words, { env: administrator() });
      await eventually('the transfer', () => stalled || undefined);
      if (how === 'interrupted') uploading.child.kill('SIGINT');
      expect(await uploading.ended).toMatchObject({ code: how === 'interrupted' ? 130 : 1, stdout: '' });
      expect(await sheaf.ok('info', '-f', 'state', `broken-${how}`)).toBe('failed');
      proxy.close();
    },
  );
});
