import { describe, expect, it } from 'vitest';
import { apptainerCommand, apptainerEnvironment, arrival, type ApptainerCall } from './command.ts';
import { meansToTry } from './probe.ts';
import { makerCommand, placeBesides, rootSurroundings } from './surroundings.ts';
import { parseLibraries } from './tools.ts';

const call: ApptainerCall = {
  program: '/opt/bin/apptainer',
  run: { uuid: '0xa', network: true, gpus: [] },
  image: '/images/a',
  overlay: { kind: 'disk', path: '/runs/overlay' },
  temporary: '/runs/tmp',
  binds: [],
  command: ['/bin/sh', '-c', 'true'],
};

/** What follows each occurrence of a flag. */
function after(words: readonly string[], flag: string): (string | undefined)[] {
  return words.flatMap((word, index) => (word === flag ? [words[index + 1]] : []));
}

describe('the command line', () => {
  it('has every path as one value, whatever is in it', () => {
    const binds = [
      { source: '/data/a,b "c"', target: '/0xa/a:b', readOnly: true },
      { source: '/run', target: '/0xa', readOnly: false },
    ];

    expect(after(apptainerCommand({ ...call, binds }), '--mount')).toEqual([
      'type=bind,"source=/data/a,b ""c""",destination=/0xa/a:b,ro',
      'type=bind,source=/run,destination=/0xa',
    ]);
  });

  it('asks for GPUs and for no network only where the run is to have them so', () => {
    const without = apptainerCommand(call);
    const withAll = apptainerCommand({ ...call, run: { uuid: '0xa', network: false, gpus: ['GPU-1'] } });

    expect(without).not.toContain('--nv');
    expect(without).not.toContain('--net');
    expect(after(without, '--no-mount')).toEqual(['sys,bind-paths']);
    expect(withAll).toContain('--nv');
    expect(after(withAll, '--network')).toEqual(['none']);
    // Programs find GPUs in /sys.
    expect(after(withAll, '--no-mount')).toEqual(['bind-paths']);
  });

  it('keeps changes of the image in memory, or allows none, where there is no better place', () => {
    const memory = apptainerCommand({ ...call, overlay: { kind: 'memory' } });
    const none = apptainerCommand({ ...call, overlay: { kind: 'none' } });

    expect(memory).toContain('--writable-tmpfs');
    expect([...memory, ...none]).not.toContain('--overlay');
    expect(none).not.toContain('--writable-tmpfs');
  });
});

describe('the environment', () => {
  it('is handed on under a prefix, but for names that no shell can have', () => {
    const environment = { LD_PRELOAD: '/0xa/mine.so', 'a.b': 'c', '1': 'd', É: 'e' };

    expect(apptainerEnvironment(environment)).toEqual({ APPTAINERENV_LD_PRELOAD: '/0xa/mine.so' });
  });

  it('keeps what the run has asked for, though Apptainer sets it as well', () => {
    const [, , script] = arrival('/bin/sh', 0, { uuid: '0xa', environment: { PS1: '$ ' } });

    expect(script).toMatch(/^unset PROMPT_COMMAND /m);
    expect(script).not.toMatch(/^unset.* PS1/m);
  });
});

describe('the surroundings', () => {
  it('of root show everything in a place that covers no program', () => {
    const place = placeBesides(['/mnt/software/apptainer', '/usr/bin/apptainer']);
    const around = rootSurroundings({
      shown: [
        { source: '/srv/image', readOnly: true, isFile: false },
        { source: '/srv/a file', readOnly: true, isFile: true },
      ],
      sharedMemory: 0,
      root: '/srv/run/root',
      place,
      accounts: { '/etc/passwd': '/srv/run/passwd' },
    });

    expect(place).toBe('/media');
    expect(['/srv/image', '/srv/a file'].map((source) => around.path(source))).toEqual([
      '/media/0',
      '/media/1',
    ]);
    expect(around.sharedMemory).toBe('/media/shm');
    expect(around.script.at(-1)).toBe('mount --move /srv/run/root /media');
  });

  it('need no namespace where a user may have none', () => {
    const maker = { script: [], groups: [], user: undefined };

    expect(makerCommand({ ...maker, namespace: 'none' })[0]).toBe('/bin/sh');
    expect(makerCommand({ ...maker, namespace: 'user' }).slice(0, 2)).toEqual(['unshare', '--user']);
  });

  it('are tried from the best downwards, and root always has them', () => {
    const groups = { version: 2, base: '/groups' } as const;
    const words = (asRoot: boolean) =>
      meansToTry(groups, asRoot).map((means) =>
        [means.groups && 'groups', means.overlay, means.namespace && 'own'].filter(Boolean).join(' '),
      );

    expect(words(true)).toEqual([
      'groups disk own',
      'groups memory own',
      'groups none own',
      'disk own',
      'memory own',
      'none own',
    ]);
    expect(words(false).slice(0, 3)).toEqual(['groups disk own', 'groups disk', 'groups memory own']);
    expect(meansToTry(undefined, true)).toHaveLength(3);
  });
});

describe('the libraries of a program', () => {
  it.each([
    [
      'the usual',
      'linux-vdso.so.1 (0x1)\n\tlibcap-ng.so.0 => /lib/libcap-ng.so.0 (0x2)\n\t/lib64/ld-linux-x86-64.so.2 (0x3)\n',
      { loader: '/lib64/ld-linux-x86-64.so.2', libraries: ['/lib/libcap-ng.so.0'] },
    ],
    [
      'musl',
      '\t/lib/ld-musl-x86_64.so.1 (0x1)\n\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x1)\n',
      { loader: '/lib/ld-musl-x86_64.so.1', libraries: [] },
    ],
    ['none', '', { loader: undefined, libraries: [] }],
  ])('are read from what ldd says: %s', (_, said, expected) => {
    expect(parseLibraries(said)).toEqual(expected);
  });
});
