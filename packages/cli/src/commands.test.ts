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
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@sheaf/testkit';
import { startInstallation, type Installation } from './testing/programs.ts';

const uuidLine = /^0x[0-9a-f]{32}\n$/;
let sheaf: Installation;
let work: string;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'sheaf-cl-work-'));
  sheaf = await startInstallation();
}, 120_000);
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

describe('signing in', () => {
  test('on the own machine nobody is asked, and the token is for the owner only', async () => {
    const { code, stdout, stderr } = await sheaf.cl(['status']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^codalab_home: .*\/cli\nsession: test\nclient_version: 1\.7\.3\nserver_version: 1\.7\.3\naddress: http:\/\/127\.0\.0\.1:\d+\nusername: codalab\ncurrent_worksheet: http.*\/worksheets\/0x[0-9a-f]{32} \(home-codalab\)\nuser: codalab\(0\)\n$/,
    );
    expect(statSync(join(sheaf.home, 'cli', 'state.json')).mode & 0o777).toBe(0o600);
  });

  test('a wrong password is one line, with the address', async () => {
    const env = { CODALAB_HOME: join(work, 'other'), CODALAB_USERNAME: 'codalab', CODALAB_PASSWORD: 'wrong' };
    const { code, stdout, stderr } = await sheaf.cl(['ls'], { env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('AuthorizationError: Invalid username or password.\n');
    expect(stderr).toContain(sheaf.url);
  });

  test('a name and a password are read from standard input; what is asked does not get between results', async () => {
    const { password } = JSON.parse(readFileSync(join(sheaf.home, 'administrator.json'), 'utf8')) as {
      password: string;
    };
    const env = { SHEAF_HOME: join(work, 'elsewhere') };
    const { code, stdout, stderr } = await sheaf.cl(['work', '-u', `${sheaf.url}::`], {
      env,
      input: `codalab\n${password}\n`,
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(uuidLine) as string });
    expect(stderr).toContain(`Requesting access at ${sheaf.url}\nUsername: Password: `);
  });
});

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

describe('specs', () => {
  test('a missing bundle, a missing path and an unreadable spec end with 1, in one line and a next step', async () => {
    const missing = await sheaf.cl(['cat', 'no-such-bundle']);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    const inside = await sheaf.ok('upload', '-c', 'x');
    expect(await sheaf.cl(['cat', `${inside}/no`])).toMatchObject({ code: 1, stdout: '<none>\n' });
    expect(missing.stderr).toMatch(
      /^NotFoundError: .*no-such-bundle.*\nLook with `cl ls` or `cl search`\.\n$/,
    );
    expect(await sheaf.cl(['info', 'no-such-bundle'])).toMatchObject({ code: 1, stdout: '' });
    expect(await sheaf.cl(['info', '?!'])).toMatchObject({ code: 1, stdout: '' });
    expect(await sheaf.cl(['rm', ''])).toMatchObject({ code: 1, stdout: '' });
  });

  test('an ambiguous beginning of a uuid is refused', async () => {
    // Seventeen uuids have sixteen first digits between them.
    await Promise.all(Array.from({ length: 17 }, (_, at) => sheaf.ok('upload', '-l', `/l${at}`)));
    const digits = (await sheaf.ok('ls', '-u')).split('\n').map((uuid) => uuid.slice(0, 3));
    const twice = digits.find((digit, at) => digits.indexOf(digit) !== at) ?? '';
    const { code, stdout, stderr } = await sheaf.cl(['info', twice]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^UsageError: .*\n.*more digits/);
  });

  test('worksheet and bundle with one slash or two, ranges, and places from the end', async () => {
    await sheaf.ok('new', 'specs');
    const one = await sheaf.ok('upload', '-c', 'one', '-n', 'x', '-w', 'specs');
    const two = await sheaf.ok('upload', '-c', 'two', '-n', 'x', '-w', 'specs');
    expect(await sheaf.ok('cat', 'specs//x')).toBe('two');
    expect(await sheaf.ok('cat', 'specs//x^2')).toBe('one');
    expect(await sheaf.ok('cat', 'specs/x')).toBe('two');
    expect(await sheaf.ok('info', '-f', 'uuid', '-w', 'specs', '^1-2')).toBe(`${two}\n${one}`);
    expect(await sheaf.ok('info', '-f', 'uuid', 'specs/x', 'specs//x^2', one)).toBe(`${two}\n${one}\n${one}`);
    expect(await sheaf.ok('cat', `${sheaf.url}::specs//x`)).toBe('two');
  });

  test('a path inside a bundle is not silently the whole bundle', async () => {
    const uuid = await sheaf.ok('upload', '-c', 'precious', '-n', 'precious');
    expect(await sheaf.cl(['rm', '/ //precious/part'])).toMatchObject({ code: 1, stdout: '' });
    expect(await sheaf.cl(['rm', 'precious/part'])).toMatchObject({ code: 1, stdout: '' });
    expect(await sheaf.ok('cat', uuid)).toBe('precious');
  });
});

describe('worksheets', () => {
  test('new prints the uuid, work switches, and the session remembers', async () => {
    const env = { CODALAB_SESSION: 'switching' };
    const made = await sheaf.cl(['new', 'switching'], { env });
    expect(made.stdout).toMatch(uuidLine);
    const uuid = made.stdout.trim();
    const text = `${sheaf.url}/worksheets/${uuid} (switching)`;
    expect((await sheaf.cl(['work', 'switching'], { env })).stdout).toBe(`Switched to worksheet: ${text}\n`);
    expect((await sheaf.cl(['work'], { env })).stdout).toBe(`Currently on worksheet: ${text}\n`);
    expect((await sheaf.cl(['work', '-u'], { env })).stdout).toBe(`${uuid}\n`);
    expect((await sheaf.cl(['w', '-u', '/'], { env })).stdout).not.toBe(`${uuid}\n`);
    expect((await sheaf.cl(['work', '-u'], { env: { CODALAB_SESSION: 'another' } })).stdout).not.toBe(
      `${uuid}\n`,
    );
    expect(await sheaf.cl(['new', 'switching'])).toMatchObject({ code: 1, stdout: '' });
    expect(await sheaf.cl(['work', 'no-such-worksheet'])).toMatchObject({ code: 1, stdout: '' });
  });

  test('ls and search list what is there', async () => {
    await sheaf.ok('new', 'listing');
    expect(await sheaf.ok('ls', '-u', '-w', 'listing')).toBe('');
    const uuid = await sheaf.ok('upload', '-c', 'x', '-n', 'listed', '-w', 'listing');
    const lines = (await sheaf.ok('ls', '-w', 'listing')).split('\n');
    expect(lines[0]).toMatch(/^### Worksheet: http.*\/worksheets\/0x[0-9a-f]{32} \(listing\)$/);
    expect(lines.slice(1, 5).map((line) => line.split(':')[0])).toEqual([
      '### Title',
      '### Tags',
      '### Owner',
      '### Permissions',
    ]);
    expect(lines[5]).toMatch(/^ref {2}uuid {6}name/);
    expect(lines[7]).toMatch(
      new RegExp(`^ \\^1 {2}${uuid.slice(0, 8)} {2}listed {2}\\[uploaded\\] {2}codalab {2}\\d{4}-`),
    );
    expect(await sheaf.ok('search', 'name=listed', '-u')).toBe(uuid);
    expect((await sheaf.ok('search', 'name=listed', '-f', 'uuid')).split('\n')[2]).toBe(uuid.slice(0, 8));
    expect(await sheaf.ok('search', 'name=listed', 'size=.sum')).toBe('1');
    expect(await sheaf.ok('search', 'name=listed', '.count')).toBe('1');
    expect(await sheaf.cl(['search', 'name=nothing-at-all'])).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No results found\n',
    });
    await sheaf.ok('new', 'appended');
    expect(await sheaf.ok('search', 'name=listed', '-a', '-u', '-w', 'appended')).toContain(
      'Added 1 bundles to',
    );
    expect(await sheaf.ok('ls', '-u', '-w', 'appended')).toBe(uuid);
  });

  test('a list of exactly ten says that there may be more, unless a limit was set', async () => {
    await Promise.all(Array.from({ length: 11 }, () => sheaf.ok('upload', '-l', '/ten', '-n', 'ten')));
    expect((await sheaf.cl(['search', 'name=ten', '-u'])).stderr).toContain('Only 10 results are shown.');
    expect((await sheaf.cl(['search', 'name=ten', '-u', '.limit=10'])).stderr).toBe('');
  });

  test('print -r is the source', async () => {
    await sheaf.ok('new', 'source');
    const uuid = await sheaf.ok('upload', '-c', 'x', '-n', 'b', '-w', 'source');
    expect(await sheaf.ok('print', '-r', 'source')).toBe(`[dataset b]{${uuid}}`);
  });
});

describe('rm, kill and info', () => {
  test('rm prints what went; a dry run changes nothing', async () => {
    const uuid = await sheaf.ok('upload', '-c', 'x', '-n', 'gone');
    expect(await sheaf.ok('rm', '-i', uuid)).toContain(`${uuid.slice(0, 8)}  gone`);
    expect(await sheaf.ok('rm', uuid)).toBe(uuid);
    expect(await sheaf.cl(['info', uuid])).toMatchObject({ code: 1 });
  });

  test('a bundle that others depend on is kept, with what to do', async () => {
    const input = await sheaf.ok('upload', '-c', 'x', '-n', 'input');
    const run = await sheaf.ok('run', 'i:input', 'cat i');
    const refused = await sheaf.cl(['rm', input]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/--recursive or --force/);
    expect(await sheaf.ok('rm', '-r', input)).toBe(`${input}\n${run}`);
  });

  test('a killed run ends wait with its state on stderr and nothing on stdout', async () => {
    const uuid = await sheaf.ok('run', 'echo hi');
    expect(await sheaf.ok('info', uuid)).toMatch(/^state +: staged$/m);
    expect(await sheaf.ok('info', uuid)).toMatch(/^staged_status +: \S/m);
    expect(await sheaf.ok('info', '-f', 'request_memory,tags,owner,failure_message', uuid)).toBe(
      '2g\t[]\tcodalab\tNone',
    );
    expect(await sheaf.ok('kill', uuid)).toBe(uuid);
    expect(await sheaf.cl(['wait', uuid])).toEqual({ code: 1, stdout: '', stderr: 'killed\n' });
    expect(await sheaf.ok('info', '-f', 'actions', uuid)).toBe("['kill']");
    const ready = await sheaf.ok('upload', '-c', 'x');
    expect(await sheaf.cl(['wait', ready])).toEqual({ code: 0, stdout: `${ready}\n`, stderr: '' });
  });

  test('wait gives up after its time', async () => {
    const uuid = await sheaf.ok('run', 'echo hi');
    const { code, stderr } = await sheaf.cl(['wait', uuid, '--timeout', '0.2s']);
    expect(code).toBe(1);
    expect(stderr).toContain('not final after 0.2s');
    await sheaf.ok('kill', uuid);
  });

  test('a table of workers has its header even without any', async () => {
    const lines = (await sheaf.ok('workers')).split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      /^worker_id {2}cpus {2}gpus {2}memory {2}free_disk {2}last_checkin {2}group {2}tag {2}runs/,
    );
  });
});

describe('run', () => {
  test('inputs inside the command get their keys', async () => {
    await sheaf.ok('upload', '-c', 'x', '-n', 'in1');
    const uuid = await sheaf.ok('run', 'cat %in1% %:in1%');
    expect(await sheaf.ok('info', '-f', 'command,dependencies', uuid)).toBe('cat b1 in1\tb1:in1,:in1');
    await sheaf.ok('kill', uuid);
  });

  test('words after --- are quoted as they were typed', async () => {
    const uuid = await sheaf.ok('run', '-n', 'quoted', '---', 'echo', 'hello world!', "it's");
    expect(await sheaf.ok('info', '-f', 'command,name', uuid)).toBe(`echo 'hello world!' 'it'"'"'s'\tquoted`);
    await sheaf.ok('kill', uuid);
  });

  test('the same run is found again, whatever the order of its inputs', async () => {
    await sheaf.ok('upload', '-c', 'x', '-n', 'm1');
    await sheaf.ok('upload', '-c', 'y', '-n', 'm2');
    const uuid = await sheaf.ok('run', 'a:m1', 'b:m2', 'cat a b');
    expect(await sheaf.ok('run', '-m', 'b:m2', 'a:m1', 'cat a b')).toBe(uuid);
    expect(await sheaf.ok('run', '-m', 'a:m1', 'cat a')).not.toBe(uuid);
    await sheaf.ok('kill', uuid);
    expect(await sheaf.ok('run', '-m', 'a:m1', 'b:m2', 'cat a b')).not.toBe(uuid);
  });

  test.each([
    [['a:m1', 'a/b:m2', 'x'], 'ancestor'],
    [['a:m1', 'a:m2', 'x'], 'multiple values'],
    [['main::w//b', 'x'], 'another server'],
    [['  '], 'The command cannot be empty.'],
    [['a:', 'x'], 'names no bundle'],
    [['%no-such-input%'], 'no-such-input'],
    [['x', '--request-memory', 'much'], 'Invalid size'],
    [['x', '-a', 'first'], 'takes a number'],
  ])('%j is refused', async (words, message) => {
    const { code, stdout, stderr } = await sheaf.cl(['run', ...words]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
  });
});

test('a server that closes the pipe early, and a reader that does, are no tracebacks', async () => {
  const uuid = await sheaf.ok('upload', file('long.txt', 'line\n'.repeat(200_000)));
  const reading = await sheaf.start(['cat', uuid]);
  reading.child.stdout?.once('data', () => reading.child.stdout?.destroy());
  const { code, stderr } = await reading.ended;
  expect({ code, stderr }).toEqual({ code: 141, stderr: '' });
});

test('a download that breaks off goes on where it was', async () => {
  const bytes = Buffer.alloc(8 * 1024 * 1024, 'resumable ');
  const uuid = await sheaf.ok('upload', file('resumed.bin', bytes), '-n', 'resumed.bin');
  // Passes everything on, but breaks the first transfer of bytes in the middle.
  let broken = false;
  const ranges: (string | undefined)[] = [];
  const proxy = createServer((request, response) => {
    const isBlob = request.url?.includes('/transfer/blobs/') === true;
    if (isBlob) ranges.push(request.headers.range);
    const headers = Object.entries(request.headers).filter(
      ([name]) => !['host', 'connection'].includes(name),
    ) as [string, string][];
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) };
      const answer = await fetch(sheaf.url + (request.url ?? ''), {
        method: request.method ?? 'GET',
        headers,
        ...body,
      });
      const all = Buffer.from(await answer.arrayBuffer());
      const length = { 'content-length': String(all.byteLength) };
      response.writeHead(answer.status, { ...Object.fromEntries(answer.headers), ...length });
      if (isBlob && !broken) {
        broken = true;
        response.write(all.subarray(0, 3_000_000), () => setImmediate(() => response.destroy()));
      } else response.end(all);
    })();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { username, password } = JSON.parse(readFileSync(join(sheaf.home, 'administrator.json'), 'utf8')) as {
    username: string;
    password: string;
  };
  const env = { CODALAB_USERNAME: username, CODALAB_PASSWORD: password };
  const out = join(work, 'resumed.out');
  const words = ['download', `${address}::${uuid}`, '-o', out];
  const first = await sheaf.cl(words, { env });
  expect(first.code).toBe(1);
  expect(first.stderr).toContain('Run the same command again');
  expect(lstatSync(out, { throwIfNoEntry: false })).toBeUndefined();
  expect(await sheaf.cl(words, { env })).toMatchObject({ code: 0 });
  expect(readFileSync(out).equals(bytes)).toBe(true);
  expect(ranges).toHaveLength(2);
  expect(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1])).toBeGreaterThan(0);
  proxy.closeAllConnections();
  proxy.close();
  await eventually('an end of the proxy', () => (proxy.listening ? undefined : true));
});
