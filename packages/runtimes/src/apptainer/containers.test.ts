/* Runs of a worker that is an ordinary user, as on the nodes of a cluster; and what of a run outlives whom. */
import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { archiveWithoutBash, describeWith, eventually, requireApptainer, startProcess } from '@sheaf/testkit';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { isErrno } from '../files/errno.ts';
import type { RunHandle, Runtime } from '../port.ts';
import { firstProcess } from '../sandbox/processes.ts';
import { runPaths } from '../sandbox/record.ts';
import { connectApptainerRuntime } from './connect.ts';

const never = new AbortController().signal;
const uuid = `0x${'5c'.repeat(16)}`;
/** The account that every system has; where this is no root, our own. */
const user = process.getuid?.() === 0 ? 65_534 : (process.getuid?.() ?? 0);
let place: string;
const begun: Started[] = [];

describeWith('a run of an ordinary user with Apptainer', [requireApptainer], () => {
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'sheaf-apptainer-'));
    await chmod(place, 0o755);
    await build({
      entryPoints: [fileURLToPath(new URL('fixtures/start-run.ts', import.meta.url))],
      outfile: join(place, 'start-run.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });
    // Their own places may be closed to other users.
    await copyFile(process.execPath, join(place, 'node'));
    await copyFile(await archiveWithoutBash(), join(place, 'archive'));
    await chmod(join(place, 'archive'), 0o644);
  }, 240_000);
  afterEach(async () => {
    for (const { handle, worker, next } of begun.splice(0)) {
      await worker.stop();
      await next.destroy(handle);
      await next.close();
    }
  });
  afterAll(() => rm(place, { recursive: true }));

  it('has its image, its environment and its limits, belongs to that user, and can be looked into', async () => {
    const about = [
      'busybox=/bin/busybox; echo "$LETTER|$MADE_OF|$CUDA_VISIBLE_DEVICES|$HOME"',
      '$busybox df -k /dev/shm | $busybox tail -1 | $busybox awk "{ print \\$2 }"; $busybox id -u; $busybox cat /locked/inside; echo',
      ': >/made-in-image && : >/tmp/mine && echo writable; $busybox env | $busybox grep -E "APPTAINER|SINGULARITY|no.name"',
    ].join('\n');
    const { handle, run, next, said, description } = await start(
      `${about}\necho up; while ! [ -e go ]; do /bin/busybox sleep 0.02; done; exit 8`,
    );
    await writeFile(join(run, 'go'), '');

    expect(await next.wait(handle, never)).toMatchObject({ exitCode: 8, message: null });
    expect(await readFile(join(run, 'stdout'), 'utf8')).toBe(
      `a "letter"\n\`of\` $two lines|nothing much|GPU-1,GPU-2|/${uuid}\n3072\n${user}\ninside\nwritable\nup\n`,
    );
    expect(said).toBe(`${user}\nCapPrm:\t0000000000000000\nNoNewPrivs:\t1\n`);
    expect(description).toMatch(/^Apptainer \d\S*; images from registries; runs with network access share/);
    expect((await stat(join(run, 'stdout'))).uid).toBe(user);
    await next.destroy(handle);
    expect(await next.list()).toEqual([]);
  });

  it('goes on when its worker is killed, and its end is known to the next, though it kills its whole process group', async () => {
    const { handle, worker, run, next } = await start(
      'echo up; while ! [ -e go ]; do /bin/busybox sleep 0.02; done; kill 0; /bin/busybox sleep 650',
    );
    worker.kill('SIGKILL');
    await worker.ended;

    expect(await next.list()).toEqual([handle]);
    expect(await next.recover(handle)).toMatchObject({ state: 'running' });
    // A shell and a program of it; Apptainer's own process beside them is several times as large.
    const memory = (await next.statistics(handle))?.memory;
    expect(memory).toBeGreaterThan(0);
    expect(memory).toBeLessThan(10 << 20);
    expect(await next.removeImage(`sha256:${'b'.repeat(64)}`)).toBe('in use');
    const exit = next.wait(handle, never);
    await writeFile(join(run, 'go'), '');

    expect(await exit).toMatchObject({ exitCode: 143, message: null });
  });

  it('is reported as lost when its supervisor is killed too, and leaves no process behind', async () => {
    const { handle, worker, next, state } = await start('echo up; exec /bin/busybox sleep 640');
    worker.kill('SIGKILL');
    const paths = runPaths(state, uuid, 1);
    const first = (await firstProcess(paths)) ?? 0;
    process.kill(Number(await readFile(paths.supervisor, 'utf8')), 'SIGKILL');

    expect(first).toBeGreaterThan(0);
    expect(await next.wait(handle, never)).toMatchObject({ exitCode: null, outOfMemory: false });
    expect((await next.wait(handle, never)).message).toContain('has gone');
    await eventually('end of the processes', () => !isThere(first) || undefined);
  });
});

interface Started {
  readonly handle: RunHandle;
  readonly worker: ReturnType<typeof startProcess>;
  readonly run: string;
  readonly state: string;
  /** The next worker. */
  readonly next: Runtime;
  /** By a session in the run. */
  readonly said: string;
  readonly description: string;
}

/** Starts a run by a process of its own, and waits until the command has said "up". */
async function start(command: string): Promise<Started> {
  const program = await requireApptainer();
  const directory = await mkdtemp(join(place, 'home-'));
  const run = join(directory, 'run');
  await mkdir(run);
  for (const path of [directory, run]) await chown(path, user, user);
  const words = ['start-run.mjs', program, directory, join(place, 'archive'), run, uuid, command];
  const worker = startProcess(join(place, 'node'), words, { cwd: place, uid: user, gid: user });
  const [, json = ''] = await worker.waitForOutput(/started (.*)\n/);
  const said = JSON.parse(json) as Pick<Started, 'handle' | 'said' | 'description'>;
  const next = await connectApptainerRuntime({ directory, worker: 'fixture', program });
  const started = { ...said, worker, run, state: join(directory, 'apptainer'), next };
  begun.push(started);
  await eventually('word from the command', async () =>
    (await readFile(join(run, 'stdout'), 'utf8').catch(() => '')).endsWith('up\n') ? true : undefined,
  );
  return started;
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
