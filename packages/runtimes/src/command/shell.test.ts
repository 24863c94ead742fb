import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runScript, shellMessage } from './shell.ts';

const run = promisify(execFile);
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sheaf-shell-'));
});
afterEach(() => rm(directory, { recursive: true }));

it.each(['bash', 'sh'])('the script of a run means the same to %s', async (shell) => {
  await run(shell, ['-c', runScript('echo out # comment\ncat >&2 <<END\nerr\nEND')], { cwd: directory });

  expect(await readFile(join(directory, 'stdout'), 'utf8')).toBe('out\n');
  expect(await readFile(join(directory, 'stderr'), 'utf8')).toBe('err\n');
});

it('a command that begins with a parenthesis is no arithmetic', async () => {
  await run('bash', ['-c', runScript('(echo a); (echo b)')], { cwd: directory });

  expect(await readFile(join(directory, 'stdout'), 'utf8')).toBe('a\nb\n');
});

it.each([
  [2, 'bash: line 1: syntax error\n', 'bash: line 1: syntax error'],
  [1, '\u0007stdout: \u001bPermission denied', 'stdout: Permission denied'],
  [1, ' \n', null],
  [0, 'warning: here-document delimited by end-of-file', null],
  [137, 'bash: line 1: 7 Killed', null],
  [null, 'gone', 'gone'],
])('with status %s the shell has said %j: %j', (code, log, expected) => {
  expect(shellMessage(code, log)).toBe(expected);
});
