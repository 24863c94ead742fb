import { describe, expect, it } from 'vitest';
import { parseCommandLine } from './command-line.ts';
import { flags } from './flags.ts';
import { logLevelOf } from './log-level.ts';
import { readSettings } from './read-settings.ts';
import type { Settings } from './settings.ts';

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

  it('take the level of the log from the environment before --verbose', () => {
    expect(logLevelOf(undefined, false)).toBe('info');
    expect(logLevelOf('', true)).toBe('debug');
    expect(logLevelOf('error', true)).toBe('error');
    expect(() => logLevelOf('loud', false)).toThrow(
      'There is no log level "loud": SHEAF_LOG_LEVEL takes trace,',
    );
  });

  it('do not make a worker exclusive without a tag', () => {
    expect(settings('--tag-exclusive').tagExclusive).toBe(false);
  });

  it.each([
    ['localhost:2900', undefined],
    ['ftp://example.org', undefined],
    ['https://', undefined],
    ['http://example.org:port', undefined],
    ['', undefined],
    ['https://example.org/?worker', undefined],
    ['https://example.org#top', undefined],
    ['https://me:secret@example.org', undefined],
    ['https://example.org', 'https://example.org'],
    ['HTTPS://example.org', 'https://example.org'],
    ['http://[::1]:2900', 'http://[::1]:2900'],
    ['https://example.org/', 'https://example.org'],
    ['https://example.org/rest', 'https://example.org'],
    ['https://example.org/rest/', 'https://example.org'],
    ['https://example.org/sheaf//rest//', 'https://example.org/sheaf'],
  ])('take %j as the address %j', (given, address) => {
    if (address === undefined) expect(() => settings('--server', given)).toThrow(/looks like http/);
    else expect(settings('--server', given).server).toBe(address);
  });

  const huge = '9'.repeat(40);

  /** For each flag with a value: what is refused and how, and what is taken for what. */
  const values: [
    flag: string,
    field: keyof Settings,
    wrong: string[],
    sentence: RegExp,
    right: [string, unknown][],
  ][] = [
    [
      'tag',
      'tag',
      ['', 'a b', 'a_b', 'tag=x', 'ä', 'x'.repeat(128)],
      /cannot be a --tag/,
      [
        ['0', '0'],
        ['gpu-A1', 'gpu-A1'],
      ],
    ],
    [
      'group',
      'group',
      [''],
      /--group needs a value/,
      [
        ['0', '0'],
        ['my friends', 'my friends'],
      ],
    ],
    [
      'id',
      'id',
      ['', '.', '..', 'a/b', 'a b', 'x'.repeat(128), 'a\u0007'],
      /cannot be an --id/,
      [
        ['0', '0'],
        ['x'.repeat(127), 'x'.repeat(127)],
        ['node7(4242)', 'node7(4242)'],
        ['..x', '..x'],
      ],
    ],
    [
      'work-dir',
      'workDirectory',
      [''],
      /--work-dir needs a value/,
      [
        ['0', '/here/0'],
        ['/data', '/data'],
      ],
    ],
    ['local-store', 'localStore', [''], /--local-store needs a value/, [['../x', '/x']]],
    [
      'network-prefix',
      'networkPrefix',
      ['', '-1', 'a b', '_x', 'a/b', 'x'.repeat(121)],
      /cannot be a --network-prefix/,
      [
        ['0', '0'],
        ['cl_worker_ab.c-d_network', 'cl_worker_ab.c-d_network'],
      ],
    ],
    [
      'slots',
      'slots',
      ['', '0', '-1', '1.5', 'x', '1e3', huge],
      /write a whole number from 1 to 999999999/,
      [
        ['1', 1],
        ['007', 7],
        ['999999999', 999_999_999],
      ],
    ],
    [
      'cpuset',
      'cpus',
      ['', 'x', '-1', 'NONE', '0,,1', '3-1', '0,3-1', '0 2', huge, `0-${huge}`],
      /write ALL, or the numbers of processors/,
      [
        ['ALL', 'all'],
        ['0', [0]],
        ['0, 2', [0, 2]],
        [' 0 - 1 ,3 ', [0, 1, 3]],
        ['0-2,7', [0, 1, 2, 7]],
      ],
    ],
    ['cpuset', 'cpus', ['0,0', '0-3,2'], /twice/, []],
    ['gpuset', 'gpus', ['0,', ',', '0,,1'], /write ALL, NONE/, []],
    [
      'gpuset',
      'gpus',
      ['0,0', 'GPU-a,1,GPU-a'],
      /twice/,
      [
        ['ALL', 'all'],
        ['NONE', []],
        ['', []],
        ['0', ['0']],
        ['GPU-a, 1', ['GPU-a', '1']],
      ],
    ],
    ...(['max-memory', 'max-image-size'] as const).map(
      (name) =>
        [
          name,
          name === 'max-memory' ? 'maximumMemory' : 'maximumImageSize',
          ['', '-1', '-1g', '2 GB', '2gb', 'x', '0', '0g', huge, `${huge}g`],
          /write a size (such|above 0)/,
          [
            ['1', 1],
            ['1.5k', 1536],
            ['2G', 2 * 1024 ** 3],
          ],
        ] satisfies [string, keyof Settings, string[], RegExp, [string, unknown][]],
    ),
    ...(['max-work-dir-size', 'max-image-cache-size'] as const).map(
      (name) =>
        [
          name,
          name === 'max-work-dir-size' ? 'cacheLimit' : 'imageCacheLimit',
          ['', '-1', '10 g', 'x', huge],
          /write a size such/,
          [
            ['0', 0],
            ['10g', 10 * 1024 ** 3],
            ['1t', 1024 ** 4],
          ],
        ] satisfies [string, keyof Settings, string[], RegExp, [string, unknown][]],
    ),
    [
      'shared-memory-size-gb',
      'sharedMemory',
      ['', '0', '-1', '1g', '0.5', huge, '2000000'],
      /whole number from 1|no machine has as much/,
      [
        ['1', 1024 ** 3],
        ['64', 64 * 1024 ** 3],
      ],
    ],
    [
      'download-dependencies-max-retries',
      'downloadAttempts',
      ['', '-1', 'x', huge],
      /whole number from 0/,
      [
        ['0', 1],
        ['1', 1],
        ['10', 10],
      ],
    ],
    [
      'idle-seconds',
      'idleSeconds',
      ['', '-1', '1s', huge],
      /whole number from 0/,
      [
        ['0', 0],
        ['600', 600],
      ],
    ],
    [
      'exit-after-num-runs',
      'exitAfterRuns',
      ['', '-1', 'x', huge],
      /whole number from 0/,
      [
        ['0', 0],
        ['999999999', 999_999_999],
      ],
    ],
    [
      'checkin-frequency-seconds',
      'verbose',
      ['', '-1', 'x', huge],
      /whole number from 0/,
      [
        ['0', false],
        ['20', false],
      ],
    ],
    ['ws-server', 'verbose', [], /./, [['wss://example.org', false]]],
    [
      'runtime',
      'runtime',
      ['', 'crun', 'DOCKER'],
      /auto, docker, podman, runc, apptainer, sandbox or kubernetes/,
      [
        ['auto', 'auto'],
        ['docker', 'docker'],
        ['podman', 'podman'],
        ['runc', 'runc'],
        ['apptainer', 'apptainer'],
        ['sandbox', 'sandbox'],
      ],
    ],
    ['bundle-runtime', 'runtime', ['kubernetes'], /--kubernetes-cluster-host names/, [['docker', 'docker']]],
    ['bundle-runtime', 'runtime', ['', 'sandbox', '0'], /--bundle-runtime takes docker or kubernetes/, []],
    ['kubernetes-cluster-host', 'runtime', ['https://x:6443'], /belongs to --bundle-runtime/, []],
  ];

  it.each(
    values.flatMap(([flag, , wrong, sentence]) =>
      wrong.map((text) => [`--${flag}=${text}`, sentence] as const),
    ),
  )('refuse %s', (word, sentence) => {
    expect(() => settings(word)).toThrow(sentence);
  });

  it.each(
    values.flatMap(([flag, field, , , right]) =>
      right.map(([text, value]) => [`--${flag}`, text, field, value] as const),
    ),
  )('take %s %j', (flag, text, field, value) => {
    expect(settings(flag, text)[field]).toEqual(value);
    expect(settings(`${flag}=${text}`)[field]).toEqual(value);
  });

  const switches: [string, keyof Settings][] = [
    ['exit-when-idle', 'exitWhenIdle'],
    ['pass-down-termination', 'passDownTermination'],
    ['delete-work-dir-on-exit', 'deleteWorkDirectoryOnExit'],
    ['shared-file-system', 'sharedFileSystem'],
    ['preemptible', 'preemptible'],
    ['verify-dependencies', 'verifyDependencies'],
    ['verbose', 'verbose'],
  ];

  it.each(switches)('--%s is a switch', (flag, field) => {
    expect(settings()[field]).toBe(false);
    expect(settings(`--${flag}`)[field]).toBe(true);
    expect(() => settings(`--${flag}=yes`)).toThrow(`--${flag} takes no value.`);
    expect(() => settings(`--${flag}`, 'yes')).toThrow('"yes" is not a flag');
  });

  it.each(flags.filter((flag) => 'value' in flag).map(({ name }) => name))(
    '--%s without a value is refused',
    (name) => {
      expect(() => settings(`--${name}`)).toThrow(`--${name} needs a value: --${name} `);
      expect(() => settings(`--${name}`, '--verbose')).toThrow(`--${name} needs a value: --${name} `);
    },
  );

  it('take what a worker manager passes on', () => {
    const words =
      '--server http://s --verbose --exit-when-idle --idle-seconds 600 --work-dir /tmp/w --id host-cl_worker_ab --network-prefix ' +
      'cl_worker_ab_network --tag t --group g --exit-after-num-runs 3 --download-dependencies-max-retries 3 --max-work-dir-size 10g ' +
      '--delete-work-dir-on-exit --exit-on-exception --tag-exclusive --pass-down-termination --checkin-frequency-seconds 5 ' +
      '--shared-memory-size-gb 2 --preemptible --shared-file-system --gpuset NONE --bundle-runtime docker ' +
      '--kubernetes-cluster-host https://x --kubernetes-auth-token t --kubernetes-cert-path /dev/null --kubernetes-cert c';

    expect(settings(...words.split(' '))).toMatchObject({
      id: 'host-cl_worker_ab',
      exitWhenIdle: true,
      tagExclusive: true,
      preemptible: true,
      sharedFileSystem: true,
      runtime: 'docker',
    });
  });

  it('do not take two runtimes at once', () => {
    expect(() => settings('--bundle-runtime', 'docker', '--runtime', 'sandbox')).toThrow(/contradict/);
    expect(settings('--bundle-runtime', 'docker', '--runtime', 'auto').runtime).toBe('docker');
  });
});
