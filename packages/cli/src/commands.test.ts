/** Commands as real processes against a real server, without a worker. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

describe('reading for people and for scripts', () => {
  /** Writes the source text of a worksheet. */
  async function write(worksheet: string, text: string): Promise<void> {
    const { address, token } = await signedIn();
    const uuid = await sheaf.ok('work', '-u', worksheet);
    const answer = await fetch(`${address}/rest/worksheets/${uuid}/raw`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'text/plain',
        'x-requested-with': 'XMLHttpRequest',
      },
      body: text,
    });
    expect(await answer.text()).toBe('');
  }

  async function signedIn(): Promise<{ address: string; token: string }> {
    await sheaf.ok('status');
    const state = JSON.parse(readFileSync(join(sheaf.home, 'cli', 'state.json'), 'utf8')) as {
      auth: Record<string, { token_info: { access_token: string } }>;
    };
    return { address: sheaf.url, token: state.auth[sheaf.url]?.token_info.access_token ?? '' };
  }

  test('values inside files of several bundles, and of the bundle itself', async () => {
    const one = await sheaf.ok('upload', '-c', 'acc\t0.9\nf1\t0.8\n');
    const two = await sheaf.ok('upload', '-c', 'first\nsecond\n');
    expect(await sheaf.ok('info', '-f', 'uuid,/:acc,/nope,license,nothing', one, two)).toBe(
      `${one}\t0.9\t\t\tNone\n${two}\t\t\t\tNone`,
    );
    expect(await sheaf.ok('info', '-f', '/', two)).toBe('first second');
  });

  test('the first and the last lines of a file', async () => {
    const uuid = await sheaf.ok('upload', '-c', 'one\ntwo\nthree\n');
    expect(await sheaf.ok('cat', uuid, '--head', '1')).toBe('one');
    expect(await sheaf.ok('cat', uuid, '-t', '2')).toBe('two\nthree');
  });

  test('verbose info shows relations and the beginning of the contents', async () => {
    const uuid = await sheaf.ok(
      'upload',
      '-c',
      Array.from({ length: 20 }, (_, at) => `line ${at}`).join('\n'),
      '-n',
      'long',
    );
    const text = await sheaf.ok('info', '-v', uuid);
    expect(text).toMatch(/^children:$/m);
    expect(text).toMatch(/^host_worksheets:\n {2}\S+\(0x/m);
    expect(text).toMatch(/^permission: all$/m);
    expect(text).toMatch(/=== contents preview ===\nline 0\n/);
    expect(text).toContain('line 9');
    expect(text).not.toContain('line 10');
    expect(await sheaf.ok('info', '-v', '-f', 'permission', uuid)).toBe('all');
  });

  test('print shows blocks with an empty line before each', async () => {
    await sheaf.ok('new', 'printed');
    await sheaf.ok('work', 'printed');
    const uuid = await sheaf.ok('upload', '-c', 'acc\t0.9\n', '-n', 'scored');
    await write(
      'printed',
      [
        '# Heading',
        '% schema mine',
        '% add name',
        '% add acc /:acc',
        '% display contents /',
        `{${uuid}}`,
        '% display table mine',
        `{${uuid}}`,
      ].join('\n'),
    );
    const lines = (await sheaf.ok('print')).split('\n');
    await sheaf.ok('work', '/');
    expect(lines[0]).toMatch(/^### Worksheet: /);
    expect(lines.slice(5)).toEqual([
      '',
      '# Heading',
      '',
      '[SchemaBlock]',
      '',
      'acc\t0.9',
      '',
      '  name    acc',
      '  -----------',
      '  scored  0.9',
    ]);
    expect(await sheaf.ok('print', '-r', 'printed')).toContain('% schema mine\n% add name\n');
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
