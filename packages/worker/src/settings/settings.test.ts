import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCommandLine } from './command-line.ts';
import { readCredentials } from './credentials.ts';
import { flags } from './flags.ts';
import { helpText } from './help.ts';
import { readSettings } from './read-settings.ts';

const around = { environment: {}, hostname: 'node7', pid: 4242, currentDirectory: '/here' };
const settings = (...words: string[]) => readSettings(parseCommandLine(words), around);

describe('settings', () => {
  it('have defaults for everything', () => {
    expect(settings()).toEqual({
      server: 'http://localhost:2900',
      workDirectory: '/here/codalab-worker-scratch',
      id: 'node7(4242)',
      tag: null,
      tagExclusive: false,
      group: null,
      slots: null,
      cpus: 'all',
      gpus: 'all',
      maximumMemory: null,
      cacheLimit: 10 * 1024 ** 3,
      maximumImageSize: null,
      imageCacheLimit: null,
      runtime: 'auto',
      networkPrefix: null,
      sharedMemory: 1024 ** 3,
      exitWhenIdle: false,
      idleSeconds: 0,
      exitAfterRuns: 999_999_999,
      passDownTermination: false,
      preemptible: false,
      downloadAttempts: 3,
      verifyDependencies: false,
      sharedFileSystem: false,
      deleteWorkDirectoryOnExit: false,
      localStore: null,
      verbose: false,
    });
  });

  it('are read from flags', () => {
    const words =
      '--server https://example.org/rest/ --id mine --work-dir=/data --tag gpu-a --tag-exclusive --slots 4 --cpuset 0,2 ' +
      '--gpuset 1,GPU-x --max-memory 2g --max-work-dir-size 500m --shared-memory-size-gb 2 --exit-after-num-runs 1';
    const given = settings(...words.split(' '));

    expect(given).toMatchObject({
      server: 'https://example.org',
      id: 'mine',
      workDirectory: '/data',
      tag: 'gpu-a',
      tagExclusive: true,
      slots: 4,
      cpus: [0, 2],
      gpus: ['1', 'GPU-x'],
      maximumMemory: 2 * 1024 ** 3,
      cacheLimit: 500 * 1024 ** 2,
      sharedMemory: 2 * 1024 ** 3,
      exitAfterRuns: 1,
    });
  });

  it('take the runtime from the environment, where no flag names one', () => {
    const environment = { SHEAF_RUNTIME: 'sandbox' };

    expect(readSettings(parseCommandLine([]), { ...around, environment }).runtime).toBe('sandbox');
    expect(readSettings(parseCommandLine(['--runtime', 'docker']), { ...around, environment }).runtime).toBe(
      'docker',
    );
  });

  it('do not make a worker exclusive without a tag', () => {
    expect(settings('--tag-exclusive').tagExclusive).toBe(false);
  });

  it.each([
    [['--tag', 'a b'], /cannot be a --tag/],
    [['--server', 'localhost:2900'], /looks like http/],
    [['--cpuset', '0,0'], /twice/],
    [['--cpuset', 'x'], /whole number/],
    [['--max-memory', '2 GB'], /a size such as/],
    [['--slots', '0'], /above 0/],
    [['--id', 'a/b'], /cannot be an --id/],
    [['--runtime', 'podman'], /auto, docker or sandbox/],
    [['--tag'], /--tag needs a value/],
    [['--tag', '--verbose'], /--tag needs a value/],
    [['--verbose=yes'], /takes no value/],
    [['--frobnicate'], /There is no flag --frobnicate; --help/],
    [['run'], /"run" is not a flag/],
  ])('refuse %j in one sentence', (words, sentence) => {
    expect(() => settings(...words)).toThrow(sentence);
  });

  it('let unknown flags of old scripts pass where worker.sh asks for it', () => {
    const line = parseCommandLine(['--skip-unknown-flags', '--old-flag', 'value', '--tag', 'a']);

    expect(line.unknown).toEqual(['--old-flag']);
    expect(readSettings(line, around).tag).toBe('a');
  });
});

it('the help names every flag, in lines that fit a terminal', () => {
  const text = helpText();

  for (const { name } of flags) expect(text).toContain(`--${name}`);
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
});

describe('credentials', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sheaf-credentials-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const file = (text: string, mode = 0o600) => {
    const path = join(directory, 'file');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const alice = { username: 'alice', password: 'secret word' };
  const read = (words: string[], environment = {}) => readCredentials(parseCommandLine(words), environment);

  it('come from a password file', async () => {
    expect(await read(['--password-file', file('alice\nsecret word\n')])).toEqual(alice);
  });

  it('come from the file of a server', async () => {
    expect(await read(['--credentials', file(JSON.stringify(alice))])).toEqual(alice);
  });

  it('come from the environment', async () => {
    expect(await read([], { CODALAB_USERNAME: 'alice', CODALAB_PASSWORD: 'secret word' })).toEqual(alice);
  });

  it.each([0o640, 0o604])('are refused from a file that others can read (%o)', async (mode) => {
    const path = file('alice\nsecret\n', mode);

    await expect(read(['--password-file', path])).rejects.toThrow(`chmod 600 ${path}`);
  });

  it.each([
    [() => ['--password-file', file('alice')], /first line/],
    [() => ['--password-file', '/no/such/file'], /cannot be read/],
    [() => ['--credentials', file('alice')], /must hold JSON/],
    [() => [], /CODALAB_USERNAME/],
  ])('are asked for in one sentence where they are missing (%#)', async (words, sentence) => {
    await expect(read(words())).rejects.toThrow(sentence);
  });
});
