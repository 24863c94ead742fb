/* The worker as a program, with containers: the words of old start scripts, and what it leaves on the machine. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EngineClient } from '@sheaf/runtimes/testing';
import { describeWith, pythonImage, requireDockerEngine, requireRegistry } from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root } from '../support/programs.ts';
import { WorkerProgram } from '../support/worker-program.ts';

const run = promisify(execFile);
const oldImage = 'codalab/ubuntu:1.9';

describeWith('old start scripts', [requireDockerEngine, requireRegistry], () => {
  let installation: Installation;
  let engine: EngineClient;
  let directory: string;
  const running: WorkerProgram[] = [];
  const prefix = `cl_worker_${process.pid}_network`;

  beforeAll(async () => {
    const path = (await requireDockerEngine()).socketPath;
    engine = await EngineClient.connect({ kind: 'socket', path }, AbortSignal.timeout(10_000));
    const [repository = '', tag = ''] = oldImage.split(':');
    await engine.tagImage(await pythonImage(await requireRegistry()), repository, tag);
    directory = mkdtempSync(join(tmpdir(), 'sheaf-worker-'));
    installation = new Installation('docker', { SHEAF_DEFAULT_CPU_IMAGE: oldImage });
    await installation.startServer();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((worker) => worker.stop()));
  });
  afterAll(async () => {
    await installation.stop();
    await engine.removeImage(oldImage);
    engine.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = (program: string, ...words: string[]) => {
    const common = [
      '--server',
      `${installation.url}/`,
      '--work-dir',
      join(directory, 'work'),
      '--credentials',
    ];
    const all = [
      ...common,
      join(installation.home, 'administrator.json'),
      '--network-prefix',
      prefix,
      ...words,
    ];
    const worker = new WorkerProgram(all, { program: join(root, 'bin', program) });
    running.push(worker);
    return worker.started();
  };
  const networks = async () =>
    (await engine.listNetworks(['sheaf.network=true'])).filter(({ Name }) => Name.startsWith(prefix)).length;
  /** Rules about the bridges of this prefix, whose names are made of its digest. */
  const rules = async () => {
    const { stdout } = await run('iptables', ['-w', '-S', 'INPUT']);
    const key = createHash('sha256').update(prefix).digest('hex').slice(0, 8);
    return stdout.split('\n').filter((line) => line.includes(`-i sh-${key}-`)).length;
  };
  /** Seconds since the machine began, as the run has written them. */
  const timesOf = async (uuid: string) => {
    const lines = (await installation.ok('cat', `${uuid}/stdout`))
      .split('\n')
      .map((line) => parseFloat(line));
    return { begin: lines[0] ?? 0, end: lines[1] ?? 0 };
  };

  it('run worker.sh --server URL --work-dir D --slots N --tag T, and cl run --request-queue tag=T', async () => {
    const worker = await start(
      'worker.sh',
      '--slots',
      '1',
      '--tag',
      'old',
      '--tag-exclusive',
      '--bundle-runtime',
      'docker',
    );
    expect(worker.stderr).not.toContain('skipped');
    const [first, second, third] = await Promise.all([
      installation.ok('run', '--request-queue', 'tag=old', 'cat /proc/uptime; sleep 1; cat /proc/uptime'),
      installation.ok('run', '--request-queue', 'old', 'cat /proc/uptime; sleep 1; cat /proc/uptime'),
      installation.ok(
        'run',
        '--request-queue',
        'old',
        '--request-docker-image',
        oldImage,
        'cat /etc/os-release',
      ),
    ]);
    for (const uuid of [first, second, third]) {
      expect((await installation.finished(uuid)).state).toBe('ready');
    }

    // What the user typed is kept; what the default was is decided when the run starts.
    const { metadata } = await installation.bundle(first);
    expect(metadata['request_queue']).toBe('tag=old');
    expect(metadata['request_docker_image'] ?? '').toBe('');
    const times = await Promise.all([first, second].map((uuid) => timesOf(uuid)));
    const [earlier, later] = times.toSorted((a, b) => a.begin - b.begin);
    expect(earlier?.end).toBeLessThanOrEqual(later?.begin ?? 0);
    expect(await installation.ok('cat', `${third}/stdout`)).toContain('Debian');

    expect(await networks()).toBe(2);
    expect(await rules()).toBe(2);
    expect(await worker.stop()).toBe(0);
    expect(await networks()).toBe(0);
    expect(await rules()).toBe(0);
  });

  it('what a killed worker has left on the machine is taken away by the next, also under another prefix', async () => {
    const killed = await start('cl-worker', '--id', 'killed');
    expect(await networks()).toBe(2);
    await killed.stop('SIGKILL');

    const next = await start('cl-worker', '--id', 'next', '--network-prefix', `other-${prefix}`);
    await next.stop();

    expect(await networks()).toBe(0);
  });

  it('a run that goes on keeps its network, and the worker that takes it over removes it at its end', async () => {
    const first = await start('cl-worker', '--id', 'keeper', '--tag', 'keep');
    const uuid = await installation.ok(
      'run',
      '--request-queue',
      'keep',
      'until [ -e go ]; do sleep 0.1; done',
    );
    await installation.inState(uuid, 'running');
    expect(await first.stop()).toBe(0);
    expect(await networks()).toBe(1);

    const second = await start('cl-worker', '--id', 'keeper', '--tag', 'keep');
    await installation.ok('write', `${uuid}/go`, 'now');
    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await second.stop()).toBe(0);
    expect(await networks()).toBe(0);
  });
});
