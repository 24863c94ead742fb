/* Limits of runs, the words that say so, and what is told about a run that ended (execution.md §21, §30). */
import { expect, it } from 'vitest';
import { describeInContainers, describeInSandbox, type Place } from '../support/both-runtimes.ts';

interface Case {
  title: string;
  command: string;
  flags: string[];
  /** What `failure_message` is; undefined where the run succeeds. */
  message: RegExp | undefined;
}

/** A shell that keeps writing and stays alive. */
const fillDisk = 'head -c 5000000 /dev/zero >big; sleep 60';
/** Rights taken away before the end: only a worker that gives them back sees the file. */
const hiddenFile = 'mkdir d; head -c 3000000 /dev/zero >d/big; chmod 000 d';

const cases: readonly Case[] = [
  {
    title: 'disk, written within a moment',
    command: 'head -c 3000000 /dev/zero >big',
    flags: ['--request-disk', '2m'],
    message: /^Disk limit 2mb exceeded\.$/,
  },
  {
    title: 'disk, in a directory that the command has closed',
    command: hiddenFile,
    flags: ['--request-disk', '2m'],
    message: /^Disk limit 2mb exceeded\.$/,
  },
  {
    title: 'time, which passes before the command writes too much',
    command: 'sleep 1.2; head -c 3000000 /dev/zero >big',
    flags: ['--request-disk', '2m', '--request-time', '1s'],
    message: /^Time limit exceeded\. \(Container uptime \S+ > time limit 1\.0s\)/,
  },
  {
    title: 'memory',
    command: 'x=0123456789abcdef; while true; do x=$x$x; done',
    flags: ['--request-memory', '32m'],
    message: /^Memory limit 32m exceeded\.$/,
  },
  {
    title: 'none: a signal 9 of its own is no lack of memory',
    command: 'kill -9 $BASHPID',
    flags: ['--request-memory', '32m'],
    message: /^Exit code 137$/,
  },
  {
    title: 'none: the limits are kept',
    command: 'head -c 1000000 /dev/zero >small; echo fine',
    flags: ['--request-disk', '2m', '--request-time', '1m', '--request-memory', '256m'],
    message: undefined,
  },
];

function testLimits(place: () => Place): void {
  it.each(cases)('$title', async ({ command, flags, message }) => {
    const { installation, flags: always } = place();
    const uuid = await installation.ok('run', command, ...flags, ...always);
    const waited = await installation.cl(['wait', uuid]);

    const { state, metadata } = await installation.bundle(uuid);
    // A limit fails a run; only a person, or the server, kills it.
    expect(state).toBe(message === undefined ? 'ready' : 'failed');
    expect(waited.code).toBe(message === undefined ? 0 : 1);
    if (message === undefined) expect(metadata['failure_message']).toBeUndefined();
    else expect(metadata['failure_message']).toMatch(message);
  });

  it('time ends a run within a second, and leaves what it had written', async () => {
    const { installation, flags } = place();
    const uuid = await installation.ok('run', 'echo words; sleep 60', '--request-time', '2s', ...flags);
    const { state, metadata } = await installation.finished(uuid);

    expect(state).toBe('failed');
    expect(metadata['failure_message']).toMatch(/^Time limit exceeded\./);
    expect(metadata['time']).toBeGreaterThanOrEqual(2);
    expect(metadata['time']).toBeLessThan(3);
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('words');
  });

  it('disk ends a run that goes on', async () => {
    const { installation, flags } = place();
    const uuid = await installation.ok('run', fillDisk, '--request-disk', '2m', ...flags);
    const { state, metadata } = await installation.finished(uuid);

    expect(state).toBe('failed');
    expect(metadata['failure_message']).toBe('Disk limit 2mb exceeded.');
    expect(metadata['time']).toBeLessThan(20);
  });

  it('a kill by its owner while a limit is near is a kill', async () => {
    const { installation, flags } = place();
    const uuid = await installation.ok('run', 'sleep 60', '--request-time', '1h', ...flags);
    await installation.inState(uuid, 'running');
    await installation.ok('kill', uuid);
    const { state, metadata } = await installation.finished(uuid);

    expect(state).toBe('killed');
    expect(metadata['failure_message']).toMatch(/^Kill requested/);
    expect(metadata['exitcode']).toBeUndefined();
  });
}

describeInSandbox('in a sandbox', testLimits);

describeInContainers('in containers', (place) => {
  testLimits(place);

  it('memory that is too little to start anything is said, not tried elsewhere', async () => {
    // The server lets nobody ask for less than 4m; the engine wants more than that.
    const { installation, flags } = place();
    const uuid = await installation.ok('run', 'echo hello', '--request-memory', '5m', ...flags);
    const { state, metadata } = await installation.finished(uuid);

    expect(state).toBe('failed');
    expect(metadata['failure_message']).toMatch(/^Cannot start Docker container: .*memory limit/i);
  });
});
