/* What a newcomer does: clone, `npm start`, one command. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { end } from '../support/installation.ts';
import { root, run } from '../support/programs.ts';

let directory: string;
let clone: string;
let home: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-newcomer-'));
  clone = join(directory, 'sheaf');
  home = join(directory, 'home');
  const cloned = await run('git', ['clone', '--quiet', root, clone]);
  expect(cloned.stderr + cloned.code).toBe('0');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const environment = () => ({
  PATH: process.env['PATH'],
  HOME: directory,
  SHEAF_HOME: home,
  SHEAF_PORT: '0',
  SHEAF_RUNTIME: 'sandbox',
});

/** `npm start` until it says that it is ready, or ends. */
async function start(
  env: Record<string, string | undefined>,
): Promise<{ child: ChildProcess; said: string[]; errors: string }> {
  const child = spawn('npm', ['start', '--silent'], {
    cwd: clone,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  await new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('Next')) resolve();
    });
    child.once('exit', () => resolve());
  });
  return { child, said: output.trimEnd().split('\n'), errors };
}

/** As Ctrl-C does: the signal reaches the whole foreground group. */
async function interrupt(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await gone;
}

describe('npm start on a fresh clone', () => {
  it('installs, builds, starts, and executes a run; Ctrl-C stops it; the next start finds everything again', async () => {
    const first = await start(environment());
    const [ready, runtime, next] = first.said;
    expect(ready, first.errors).toMatch(/^Sheaf is ready: http:\/\/127\.0\.0\.1:\d+$/);
    expect(runtime).toMatch(/sandbox/i);
    expect(next).toContain('bin/cl run');

    const client = { env: { SHEAF_HOME: home, CODALAB_SESSION: 'test' }, cwd: clone };
    const ran = await run(join(clone, 'bin/cl'), ['run', 'cat /proc/cpuinfo; free; df', '--tail'], client);
    expect(ran.stdout).toContain('processor');
    expect(ran.code).toBe(0);
    const uuid = ran.stdout.split('\n')[0] ?? '';
    for (const secret of ['administrator.json', 'cli/state.json']) {
      expect(statSync(join(home, secret)).mode & 0o777).toBe(0o600);
    }

    await interrupt(first.child);
    const second = await start(environment());
    const found = await run(join(clone, 'bin/cl'), ['cat', `${uuid}/stdout`], client);
    expect(found.stdout).toContain('processor');
    await interrupt(second.child);
  });

  it('stops server and worker when only npm is told to end', async () => {
    const { child, said } = await start({ ...environment(), SHEAF_HOME: join(directory, 'told') });
    const url = said[0]?.split(': ')[1] ?? '';
    expect((await fetch(`${url}/health`)).ok).toBe(true);

    await end(child, 'SIGTERM');

    await eventually('the server is gone', () =>
      fetch(`${url}/health`).then(
        () => undefined,
        () => true,
      ),
    );
  });

  it('says in one sentence when the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };

    const refused = await run('npm', ['start', '--silent'], {
      cwd: clone,
      env: { ...environment(), SHEAF_PORT: String(port), SHEAF_HOME: join(directory, 'other') },
    });

    taken.close();
    expect(refused.code).toBe(1);
    expect(refused.stderr.trim().split('\n')).toHaveLength(1);
    expect(refused.stderr).toContain(String(port));
  });

  it('says in one sentence when its home cannot be written', async () => {
    // A file where a directory is needed refuses root, too, which a mode would not.
    const refused = await run('npm', ['start', '--silent'], {
      cwd: clone,
      env: { ...environment(), SHEAF_HOME: '/dev/null/sheaf' },
    });

    expect(refused.code).toBe(1);
    expect(refused.stderr.trim().split('\n')).toHaveLength(1);
    expect(refused.stderr).toContain('/dev/null/sheaf');
  });

  it('says in one sentence when Node is too old', async () => {
    // A Node that claims an old version, as the check reads it.
    const old = await run(process.execPath, [
      '-e',
      `Object.defineProperty(process.versions, 'node', { value: '18.20.4' }); import(${JSON.stringify(join(clone, 'scripts/start.mjs'))})`,
    ]);

    expect(old.code).toBe(1);
    expect(old.stderr.trim()).toMatch(/^Sheaf needs Node\.js 20\.19 or newer, and this is 18\.20\.4\./);
  });
});
