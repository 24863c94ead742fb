import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, startProcess } from '@sheaf/testkit';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isErrno } from '../files/errno.ts';
import type { RunHandle } from '../port.ts';
import { findBubblewrap, findUnshare } from './probe.ts';
import { SandboxRuntime } from './runtime.ts';

const never = new AbortController().signal;
const uuid = `0x${'5a'.repeat(16)}`;
const stranger = 12_345;
let place: string;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'sheaf-survival-'));
  await chmod(place, 0o755);
  await build({
    entryPoints: [fileURLToPath(new URL('fixtures/start-run.ts', import.meta.url))],
    outfile: join(place, 'start-run.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
  // Node's own place may be closed to other users.
  await copyFile(process.execPath, join(place, 'node'));
});
afterAll(() => rm(place, { recursive: true }));

describe.each(['bubblewrap', 'unshare'] as const)('a run in a sandbox of %s', (tool) => {
  it('goes on when its worker is killed, and is finished by the next', async () => {
    const { handle, worker, paths } = await start(
      tool,
      'echo up; while ! [ -e go ]; do sleep 0.02; done; exit 9',
    );
    worker.kill('SIGKILL');
    await worker.ended;
    const next = await open(tool, paths.state);

    expect(await next.list()).toEqual([handle]);
    expect(await next.recover(handle)).toMatchObject({ state: 'running' });
    const exit = next.wait(handle, never);
    await writeFile(join(paths.run, 'go'), '');

    expect(await exit).toMatchObject({ exitCode: 9, message: null });
    await next.destroy(handle);
    expect(await next.list()).toEqual([]);
  });

  it('is reported as lost when its supervisor is killed too, and leaves no process behind', async () => {
    const { handle, worker, paths } = await start(tool, 'echo up; exec sleep 630');
    worker.kill('SIGKILL');
    const state = join(paths.state, `${uuid}.1`);
    const supervisor = Number(await readFile(join(state, 'supervisor'), 'utf8'));
    const { 'child-pid': first } = JSON.parse(await readFile(join(state, 'info'), 'utf8')) as {
      'child-pid': number;
    };
    process.kill(supervisor, 'SIGKILL');
    const next = await open(tool, paths.state);

    expect(await next.wait(handle, never)).toMatchObject({ exitCode: null, outOfMemory: false });
    expect((await next.wait(handle, never)).message).toContain('has gone');
    await eventually('end of the processes', () => !isThere(first) || undefined);
    await next.destroy(handle);
  });

  it.runIf(process.getuid?.() === 0)(
    'of an ordinary user belongs to that user, and may kill its process group',
    async () => {
      const { handle, worker, paths } = await start(
        tool,
        'id -u >number; echo up; sleep 0.1; kill 0; sleep 650',
        stranger,
      );
      const next = await open(tool, paths.state);

      expect(await next.wait(handle, never)).toMatchObject({ exitCode: 143 });
      expect((await stat(join(paths.run, 'number'))).uid).toBe(stranger);
      await worker.stop();
      await next.destroy(handle);
    },
  );
});

interface Started {
  readonly handle: RunHandle;
  readonly worker: ReturnType<typeof startProcess>;
  readonly paths: { readonly state: string; readonly run: string };
}

/** Starts a run by a process of its own, and waits until the command has said "up". */
async function start(tool: string, command: string, uid?: number): Promise<Started> {
  const home = await mkdtemp(join(place, 'home-'));
  const paths = { state: join(home, 'state'), run: join(home, 'run') };
  for (const path of Object.values(paths)) {
    await mkdir(path);
  }
  if (uid !== undefined) {
    for (const path of [home, ...Object.values(paths)]) {
      await chown(path, uid, uid);
    }
  }
  const words = [join(place, 'start-run.mjs'), tool, paths.state, paths.run, uuid, command];
  const user = uid === undefined ? {} : { uid, gid: uid };
  const worker = startProcess(join(place, 'node'), words, { cwd: '/', ...user });
  const [, json = ''] = await worker.waitForOutput(/started (.*)\n/);
  await eventually('word from the command', async () =>
    (await readFile(join(paths.run, 'stdout'), 'utf8').catch(() => '')) === 'up\n' ? true : undefined,
  );
  return { handle: JSON.parse(json) as RunHandle, worker, paths };
}

async function open(tool: string, stateDirectory: string): Promise<SandboxRuntime> {
  const answer = await (tool === 'unshare' ? findUnshare() : findBubblewrap());
  if (!answer.available) {
    throw new Error(answer.reason);
  }
  return new SandboxRuntime({ stateDirectory, hide: [], tool: answer.tool, groups: undefined });
}

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
