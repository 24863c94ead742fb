/** What somebody meets who starts a command beside a run's own. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RuntimeError, type ExecRequest, type ExecSession, type RunHandle } from '../port.ts';
import { benchFor, type RunBench, type RuntimeHarness } from './bench.conformance.ts';

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

async function outcome(session: ExecSession): Promise<Outcome> {
  const [stdout, stderr, code] = await Promise.all([
    text(session.stdout),
    text(session.stderr),
    session.exit,
  ]);
  return { stdout, stderr, code };
}

/** For runtimes with the capability `exec` that execute commands. */
export function testExec(harness: RuntimeHarness): void {
  const bench = benchFor(harness);
  describe('commands started beside the run', () => testCommands(bench));
  describe('terminals', () => testTerminals(bench));
  describe('ends', () => testEnds(bench));
}

const waits = 'echo here; sleep 1000';

async function begin(
  bench: RunBench,
  command = waits,
): Promise<{ handle: RunHandle; directory: string; uuid: string }> {
  const specification = await bench.specification(command, { environment: { LETTER: 'e with spaces' } });
  const handle = await bench.start(specification);
  await bench.untilSays(specification, 'here');
  return { handle, directory: specification.directory, uuid: specification.uuid };
}

function exec(
  bench: RunBench,
  handle: RunHandle,
  command: string,
  more: Partial<ExecRequest> = {},
): Promise<ExecSession> {
  return bench.runtime.exec(handle, {
    command: ['/bin/sh', '-c', command],
    terminal: null,
    environment: {},
    ...more,
  });
}

function testCommands(bench: RunBench): void {
  it('have streams of their own and pass on how they ended', async () => {
    const { handle } = await begin(bench);
    const session = await exec(bench, handle, 'cat; echo wrong >&2; exit 7');
    session.stdin.end('a letter\n');

    expect(await outcome(session)).toEqual({ stdout: 'a letter\n', stderr: 'wrong\n', code: 7 });
  });

  it('are where the run is, as it is, and with what was added', async () => {
    const about = 'echo $PWD $HOME $CODALAB $LETTER; id -u; id -g; hostname; ls /';
    const { handle, uuid } = await begin(bench, `(${about}) >about; ${waits}`);
    const session = await exec(bench, handle, `(${about}) >about2; cmp about about2; echo $PWD $ADDED`, {
      environment: { ADDED: 'a b' },
    });

    expect(await outcome(session)).toEqual({ stdout: `/${uuid} a b\n`, stderr: '', code: 0 });
  });

  it('have no more rights than the run, and count to its limits', async () => {
    const facts = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status";
    const groups = 'cat /proc/self/cgroup';
    // The group that a process has anyway says nothing when it is named once more.
    const once = 'sed "s/^Groups:.0 *$/Groups:/; s/^Groups:[[:space:]]*$/Groups:/"';
    const { handle } = await begin(bench, `(${facts}; ${groups}) | ${once} >facts; ${waits}`);
    const session = await exec(bench, handle, `(${facts}; ${groups}) | ${once} | diff facts - && echo same`);

    expect(await outcome(session)).toMatchObject({ stdout: 'same\n', code: 0 });
  });

  it('see its processes', async () => {
    const { handle } = await begin(bench, `(exec -a a-name-of-its-own sleep 1000) & ${waits}`);
    const session = await exec(
      bench,
      handle,
      'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline; echo; done | grep -c ^a-name',
    );

    expect((await outcome(session)).stdout).toBe('1\n');
  });

  it('are words, whatever is in them', async () => {
    const { handle } = await begin(bench);
    const words = ['printf', '%s|', 'a b', '', "it's", '$HOME', '*', 'é\n'];
    const session = await exec(bench, handle, '', { command: words });

    expect((await outcome(session)).stdout).toBe("a b||it's|$HOME|*|é\n|");
  });

  it('that are not there are said so', async () => {
    const { handle } = await begin(bench);
    const { code, stderr } = await outcome(await exec(bench, handle, '', { command: ['no-such-program'] }));

    expect(code).toBe(127);
    expect(stderr).toMatch(/no-such-program.*not found/);
  });

  it('carry bytes as they are, more than fits on the way', async () => {
    const { handle, directory } = await begin(bench);
    const bytes = Buffer.alloc(3 << 20, Buffer.from([0, 255, 10, 13, 4, 3]));
    await writeFile(join(directory, 'bytes'), bytes, { mode: 0o644 });
    const session = await exec(bench, handle, 'cat >copy && cmp bytes copy && cat bytes');
    session.stdin.end(bytes);
    const pieces: Buffer[] = [];
    for await (const piece of session.stdout as AsyncIterable<Buffer>) pieces.push(piece);

    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
    expect(await session.exit).toBe(0);
  });

  it('that read nothing end all the same', async () => {
    const { handle } = await begin(bench);
    const session = await exec(bench, handle, 'exit 3');
    session.stdin.write(Buffer.alloc(1 << 20));

    expect((await outcome(session)).code).toBe(3);
  });
}

function testTerminals(bench: RunBench): void {
  const terminal = { rows: 33, columns: 101 };

  it('have the size they were given, and another when it changes', async () => {
    const { handle } = await begin(bench);
    const command = "stty size; trap 'stty size; exit 5' WINCH; echo ready; while :; do sleep 0.05; done";
    const session = await exec(bench, handle, command, { terminal });
    let said = '';
    session.stdout.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
    });
    while (!said.includes('ready')) await sleep(10);
    await session.resize({ rows: 44, columns: 122 });

    expect(await session.exit).toBe(5);
    expect(said.replaceAll('\r', '')).toBe('33 101\nready\n44 122\n');
  });

  it('turn keys into signals', async () => {
    const { handle } = await begin(bench);
    const command = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.05; done";
    const session = await exec(bench, handle, command, { terminal });
    let said = '';
    session.stdout.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
    });
    while (!said.includes('ready')) await sleep(10);
    session.stdin.write('\x03');

    expect(await session.exit).toBe(9);
    expect(said).toContain('interrupted');
  });

  it('are what an interactive shell wants: jobs, echo, and an end at the end of input', async () => {
    const { handle } = await begin(bench);
    const session = await exec(bench, handle, '', { command: ['/bin/bash', '--norc', '-i'], terminal });
    let said = '';
    session.stdout.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
    });
    session.stdin.write('set -o | grep monitor; tty -s && echo a-$((1+1))-terminal\n');
    while (!said.includes('a-2-terminal')) await sleep(10);
    session.stdin.write('sleep 1000\n');
    while (!said.includes('sleep 1000')) await sleep(10);
    await sleep(200);
    session.stdin.write('\x03');
    session.stdin.write('echo still-$((2+2))\n');
    while (!said.includes('still-4')) await sleep(10);
    session.stdin.write('exit 6\n');

    expect(await session.exit).toBe(6);
    expect(said).toMatch(/monitor\s+on/);
    expect(said).not.toMatch(/no job control/);
  });
}

function testEnds(bench: RunBench): void {
  it('closing kills what was started, and not the run', async () => {
    const { handle } = await begin(bench);
    const session = await exec(bench, handle, 'setsid sleep 1234 & sleep 1235 & echo up; sleep 1236');
    for await (const piece of session.stdout.setEncoding('utf8') as AsyncIterable<string>) {
      if (piece.includes('up')) break;
    }
    await session.close();
    const left = await outcome(
      await exec(
        bench,
        handle,
        'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline; echo; done | grep "^sleep"',
      ),
    );

    expect(left.stdout).toBe('sleep 1000 \n');
    expect(await bench.runtime.recover(handle)).toMatchObject({ state: 'running' });
  });

  it('closing ends a terminal', async () => {
    const { handle } = await begin(bench);
    const session = await exec(bench, handle, 'trap "" HUP INT TERM; sleep 1237', {
      terminal: { rows: 24, columns: 80 },
    });
    session.stdout.resume();
    await session.close();

    expect(await session.exit).toBeGreaterThan(0);
  });

  it('the end of the run ends its sessions', async () => {
    const { handle } = await begin(bench);
    const session = await exec(bench, handle, 'sleep 1000');
    const ended = outcome(session);
    await bench.runtime.stop(handle);

    expect((await ended).code).toBeGreaterThan(0);
    await session.close();
  });

  it('nothing can be started in a run that has ended', async () => {
    const specification = await bench.specification('true');
    const handle = await bench.start(specification);
    await bench.runtime.wait(handle, new AbortController().signal);

    await expect(exec(bench, handle, 'true')).rejects.toThrow(RuntimeError);
  });
}
