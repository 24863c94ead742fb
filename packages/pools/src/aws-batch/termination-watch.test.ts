import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchedCommand } from './termination-watch.ts';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'sheaf-watch-'))));
afterEach(() => rmSync(directory, { recursive: true }));

function program(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/bash\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

function start(worker: string, flags: readonly string[] = []) {
  const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}` };
  const child = spawn('sh', ['-c', watchedCommand(worker, flags)], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number, said })) };
}

it('hands on flags and the exit code', async () => {
  program('curl', 'exit 22');
  const worker = program('worker', 'printf "%s|" "$@"; exit 3');

  expect(await start(worker, ['--tag', 'a b']).ended).toEqual({ code: 3, said: '--tag|a b|' });
});

const patient =
  'trap "echo told; exit 0" TERM; touch "$(dirname "$0")/up"; echo up; while :; do sleep 0.05; done';

it('tells the worker to end when the instance will be taken away, and waits for it', async () => {
  // Answers the question for the token, and the one for a notice, once the worker listens to signals.
  program('curl', 'until [ -e "$(dirname "$0")/up" ]; do sleep 0.01; done');

  expect(await start(program('worker', patient)).ended).toEqual({
    code: 0,
    said: expect.stringMatching(/told/),
  });
});

it('hands on the signal of the job, and waits for the worker', async () => {
  program('curl', 'exit 22');
  const { child, ended } = start(program('worker', patient));
  await once(child.stdout, 'data');

  child.kill('SIGTERM');

  expect(await ended).toEqual({ code: 0, said: 'up\ntold\n' });
});
