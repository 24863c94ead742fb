import { expect, it } from 'vitest';
import { eventually } from './eventually.ts';
import { isErrno } from './errno.ts';
import { runProcess, startProcess } from './processes.ts';

it('a program is heard while it runs, and ends when it is told to', async () => {
  const child = startProcess('sh', ['-c', 'echo ready 12; echo late >&2; sleep 600']);

  const match = await child.waitForOutput(/ready (\d+)[^]*late/);

  expect(match[1]).toBe('12');
  expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' });
});

it('children of a program end with it', async () => {
  const child = startProcess('sh', ['-c', 'sleep 600 & echo child $!; wait']);
  const [, pid = ''] = await child.waitForOutput(/child (\d+)\n/);

  await child.stop();

  await eventually('end of the child', () => !isThere(Number(pid)) || undefined);
});

it('waiting ends with the program, with what it said', async () => {
  const child = startProcess('sh', ['-c', 'echo sorry; exit 3']);

  await expect(child.waitForOutput(/ready/)).rejects.toThrow(/ended without saying \/ready\/:\nsorry/);
  expect(await child.ended).toEqual({ code: 3, signal: null });
});

it('waiting has an end', async () => {
  const child = startProcess('sleep', ['600']);

  await expect(child.waitForOutput(/ready/, 50)).rejects.toThrow(/has not within 50 ms saying/);
  await child.stop();
});

it('a stubborn program is killed', async () => {
  const child = startProcess('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done']);
  await child.waitForOutput(/ready/);

  expect(await child.stop('SIGTERM', 50)).toEqual({ code: null, signal: 'SIGKILL' });
});

it('a program that cannot be started is an error', async () => {
  await expect(runProcess('/no/such/program', [])).rejects.toThrow(/ENOENT/);
  await expect(runProcess('sh', ['-c', 'echo why; exit 2'])).rejects.toThrow(/ended with status 2:\nwhy/);
  expect(await runProcess('echo', ['hello'])).toBe('hello\n');
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (isErrno(error, 'ESRCH')) {
      return false;
    }
    throw error;
  }
}
