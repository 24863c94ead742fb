/* A worker and its server: runs from assignment to their end. */
import { ImageError, RuntimeError } from '@sheaf/runtimes';
import { ScriptedMachine, ScriptedRuntime } from '@sheaf/runtimes/testing';
import { eventually } from '@sheaf/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aRun, runMessageFor } from './testing/run-message.ts';
import { changedRuntime, WorkerBench } from './testing/worker-bench.ts';

let bench: WorkerBench;
beforeEach(async () => {
  bench = await WorkerBench.open();
});
afterEach(() => bench.close());

it('executes a run, stores what it left, and leaves nothing behind', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo hello; exit 0' }));

  const last = await bench.finished(aRun);

  expect(await bench.server.results(aRun)).toEqual({ stdout: 'hello\n', stderr: '' });
  expect(last).toMatchObject({ exitcode: 0, epoch: 1, runtime: 'scripted', remote: 'bench' });
  expect(last.failure_message ?? null).toBeNull();
  expect(last.docker_image).toMatch(/^image:1@sha256:/);
  expect(bench.machine.specifications).toEqual([]);
  expect(bench.server.undelivered).toBe(0);
  const stages = last.bundle_profile_stats ?? {};
  for (const stage of ['PREPARING', 'RUNNING', 'CLEANING_UP', 'UPLOADING_RESULTS']) {
    expect(stages[`RUN_STAGE.${stage}`]?.elapsed).toBeGreaterThan(0);
  }
});

it('says how an unsuccessful command ended', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'exit 3' }));

  expect(await bench.finished(aRun)).toMatchObject({ exitcode: 3, failure_message: null });
});

it('gives the command what the message asks for', async () => {
  await bench.start();
  bench.server.assign(
    runMessageFor({ command: 'sleep 60', resources: { memory: 123_456_789, network: false } }),
  );
  await bench.reported(aRun, 'running');

  const [specification] = bench.machine.specifications;

  expect(specification).toMatchObject({
    uuid: aRun,
    epoch: 1,
    directory: bench.runDirectory(aRun),
    environment: { HOME: `/${aRun}`, CODALAB: 'true' },
    memory: 123_456_789,
    network: false,
    sharedMemory: 1 << 30,
  });
  expect(specification?.cpuset).toHaveLength(1);
});

it('leaves out what the exclude patterns name', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo x; sleep 60', excludePatterns: ['*.tmp', 'stderr'] }));
  await bench.reported(aRun, 'running');
  writeFileSync(join(bench.runDirectory(aRun), 'a.tmp'), 'a');
  writeFileSync(join(bench.runDirectory(aRun), 'b.txt'), 'b');
  bench.server.send({ type: 'kill', uuid: aRun });

  await bench.finished(aRun);

  expect(await bench.server.results(aRun)).toEqual({ stdout: 'x\n', 'b.txt': 'b' });
});

describe('limits', () => {
  const ends = [
    {
      limit: 'time',
      command: 'echo a; sleep 60',
      resources: { time: 0.3 },
      message: /^Time limit exceeded\. \(Container uptime 0\.\ds > time limit 0\.3s\)$/,
    },
    {
      limit: 'memory, as the kernel says',
      command: 'echo a; exhaust-memory',
      resources: { memory: 64 << 20 },
      message: /^Memory limit 64m exceeded\.$/,
    },
    {
      limit: 'disk, after the command has ended',
      command: `echo ${'x'.repeat(3000)}`,
      resources: { disk: 2048 },
      message: /^Disk limit 2kb exceeded\.$/,
    },
    {
      limit: 'disk, while the command runs',
      command: `echo ${'x'.repeat(3000)}; sleep 60`,
      resources: { disk: 2048 },
      message: /^Disk limit 2kb exceeded\.$/,
    },
  ];

  it.each(ends)('$limit', async ({ command, resources, message }) => {
    await bench.start();
    bench.server.assign(runMessageFor({ command, resources }));

    const last = await bench.finished(aRun);

    expect(last.failure_message).toMatch(message);
    // What was written until then is kept.
    expect(Object.keys(await bench.server.results(aRun))).toContain('stdout');
  });

  it('time, also where the clock is set back', async () => {
    await bench.start();
    bench.server.assign(runMessageFor({ command: 'echo a; sleep 60', resources: { time: 0.6 } }));
    await bench.reported(aRun, 'running');
    bench.clockSetBy = -86_400_000;

    expect((await bench.finished(aRun)).failure_message).toMatch(/^Time limit exceeded/);
  });

  it('time, which is not over because the clock is set forward', async () => {
    await bench.start();
    bench.server.assign(runMessageFor({ command: 'echo a; sleep 1.5', resources: { time: 3600 } }));
    await bench.reported(aRun, 'running');
    bench.clockSetBy = 86_400_000;

    const last = await bench.finished(aRun);
    expect(last.failure_message).toBeNull();
    expect(last.container_time_total).toBeLessThan(60);
  });

  it('memory that only samples know of, where the kernel does not enforce it', async () => {
    const primary = new ScriptedRuntime(bench.machine, { memoryLimit: false });
    await bench.start({}, { primary, fallback: undefined });
    bench.server.assign(
      runMessageFor({ command: 'echo a; use-memory 90000000; sleep 60', resources: { memory: 64 << 20 } }),
    );

    expect((await bench.finished(aRun)).failure_message).toBe('Memory limit 64m exceeded.');
  });
});

describe('a run that cannot start', () => {
  it('fails when its image cannot be had', async () => {
    await bench.close();
    bench = await WorkerBench.open(new ScriptedMachine({ images: [] }));
    await bench.start();
    bench.server.assign(runMessageFor());

    const last = await bench.finished(aRun);

    expect(last.failure_message).toBe(
      "Failed to download Docker image: Can't download image image:1: there is no such image",
    );
    expect(bench.server.committed.has(aRun)).toBe(false);
    expect(last.platform_failure ?? false).toBe(false);
  });

  it('fails when the request is to blame', async () => {
    await bench.start();
    bench.server.assign(runMessageFor({ command: 'fail-to-start no such device' }));

    const last = await bench.finished(aRun);

    expect(last.failure_message).toBe('Cannot start Docker container: no such device');
    expect(last.platform_failure ?? false).toBe(false);
  });

  it('is tried again when the engine is to blame, and then given to others', async () => {
    const scripted = new ScriptedRuntime(bench.machine);
    let starts = 0;
    const primary = changedRuntime(scripted, {
      start: () => {
        starts += 1;
        return Promise.reject(new RuntimeError('the engine is upset', { userError: false }));
      },
    });
    await bench.start({}, { primary, fallback: undefined });
    bench.server.assign(runMessageFor());

    const last = await bench.finished(aRun);

    expect(starts).toBeGreaterThan(1);
    expect(last).toMatchObject({
      failure_message: 'Cannot start container: the engine is upset',
      platform_failure: true,
    });
    expect(bench.server.reportsOf(aRun).map(({ run_status: status }) => status)).toContain(
      'Trying again: the engine is upset',
    );
  });
});

describe('without the default image', () => {
  const failing = () => ({
    primary: changedRuntime(new ScriptedRuntime(bench.machine), {
      name: 'engine',
      prepareImage: () => Promise.reject(new ImageError('the registry is away', { transient: true })),
    }),
    fallback: new ScriptedRuntime(bench.machine, { images: false }),
  });

  it('executes a run that named none in the sandbox, and says so', async () => {
    await bench.start({}, failing());
    bench.server.assign(runMessageFor({ command: 'sleep 0.3', resources: { image_requested: false } }));

    const last = await bench.finished(aRun);

    expect(last).toMatchObject({ runtime: 'scripted', exitcode: 0, docker_image: null });
    const statuses = bench.server.reportsOf(aRun).map(({ run_status: status }) => status);
    expect(statuses).toContain(
      'Running in the sandbox of the worker, without an image: the default image image:1 cannot be had (the registry is away).',
    );
  });

  it('fails a run that wants GPUs, which the sandbox does not have', async () => {
    const { primary, fallback } = failing();
    await bench.start({}, { primary, fallback });
    bench.server.assign(runMessageFor({ resources: { image_requested: false, gpus: 1 } }));

    // It waits for a GPU, too: whichever comes first, it never runs without.
    expect((await bench.finished(aRun)).failure_message).toBe(
      'Failed to download Docker image: the registry is away',
    );
  });

  it('fails a run that named its image', async () => {
    await bench.start({}, failing());
    bench.server.assign(runMessageFor({ resources: { image_requested: true } }));

    expect((await bench.finished(aRun)).failure_message).toBe(
      'Failed to download Docker image: the registry is away',
    );
  });

  it('fails the run where the owner of the worker wants no sandbox', async () => {
    await bench.start({}, { ...failing(), fallback: undefined });
    bench.server.assign(runMessageFor({ resources: { image_requested: false } }));

    expect((await bench.finished(aRun)).failure_message).toBe(
      'Failed to download Docker image: the registry is away',
    );
  });
});

describe('several runs', () => {
  const uuid = (digit: string) => `0x${digit.repeat(32)}`;

  it('wait for processors that others use', async () => {
    await bench.start({ cpus: [0] });
    bench.server.assign(runMessageFor({ uuid: uuid('1'), command: 'sleep 60' }));
    await bench.reported(uuid('1'), 'running');
    bench.server.assign(runMessageFor({ uuid: uuid('2') }));
    await bench.reported(uuid('2'), 'preparing', ({ run_status: status }) =>
      status.startsWith('Waiting for'),
    );

    bench.server.send({ type: 'kill', uuid: uuid('1') });

    expect((await bench.finished(uuid('2'))).exitcode).toBe(0);
  });

  it('wait for a slot', async () => {
    await bench.start({ slots: 1 });
    bench.server.assign(runMessageFor({ uuid: uuid('1'), command: 'sleep 60' }));
    await bench.reported(uuid('1'), 'running');
    bench.server.assign(runMessageFor({ uuid: uuid('2') }));
    await bench.reported(uuid('2'), 'preparing', ({ run_status: status }) =>
      status.startsWith('Waiting for'),
    );

    bench.server.send({ type: 'kill', uuid: uuid('1') });

    expect((await bench.finished(uuid('2'))).exitcode).toBe(0);
  });

  it('are not disturbed by one that fails', async () => {
    await bench.start();
    bench.server.assign(runMessageFor({ uuid: uuid('1'), command: 'this is no script' }));
    bench.server.assign(runMessageFor({ uuid: uuid('2') }));

    expect((await bench.finished(uuid('2'))).exitcode).toBe(0);
    expect((await bench.finished(uuid('1'))).failure_message).toMatch(/does not understand/);
  });
});

it('reports use once a second', async () => {
  await bench.start();
  bench.server.assign(runMessageFor({ command: 'echo abc; use-memory 5000000; sleep 60' }));

  const report = await bench.reported(
    aRun,
    'running',
    ({ disk_utilization: disk, memory_max: memory }) => disk === 4 && memory === 5_000_000,
  );

  expect(report.memory_usage).toBeCloseTo(5_000_000 / (1 << 30));
  const later = await bench.reported(aRun, 'running', ({ container_time_user: user }) => user > 1);
  expect(later.container_time_total).toBeGreaterThan(1);
});

it('tells the server what it offers', async () => {
  await bench.start({ cpus: [0], maximumMemory: 1_000_000, tag: 'gpu', tagExclusive: true, slots: 3 });

  const [checkin] = bench.server.checkins;

  expect(checkin).toMatchObject({
    protocol: 2,
    cpus: 1,
    gpus: 0,
    memory_bytes: 1_000_000,
    tag: 'gpu',
    tag_exclusive: true,
    slots: 3,
    is_terminating: false,
    runtime: { name: 'scripted', images: true },
  });
  expect(bench.logged).toContain('Worker started!');
});

it('answers a report of something unknown to the server by checking in', async () => {
  await bench.start();
  let refused = 0;
  bench.server.intercept = (path, request, response) => {
    if (!path.endsWith('/report') || refused > 0) return false;
    refused += 1;
    request.resume();
    response.writeHead(409).end('The worker is not known: check in first.');
    return true;
  };
  const before = bench.server.checkins.length;
  bench.server.assign(runMessageFor({ command: 'sleep 0.2' }));

  await bench.finished(aRun);

  expect(refused).toBe(1);
  await eventually('another check-in', () => (bench.server.checkins.length > before + 1 ? true : undefined));
});

it('a worker that may be taken away leaves the files of a run to the next one', async () => {
  await bench.start({ preemptible: true, id: 'first', passDownTermination: true });
  bench.server.assign(runMessageFor({ command: 'echo a; sleep 60' }));
  await bench.reported(aRun, 'running');
  writeFileSync(join(bench.runDirectory(aRun), 'checkpoint'), '7');
  await bench.stopWorker();
  expect(bench.server.reportsOf(aRun).at(-1)?.state).toBe('staged');

  await bench.start({ preemptible: true, id: 'second' });
  bench.server.assign(runMessageFor({ epoch: 2, command: 'echo b' }));
  await bench.reported(aRun, 'finalizing');

  expect(await bench.server.results(aRun)).toMatchObject({ checkpoint: '7', stdout: 'b\n' });
  await eventually('no run directory', () => (existsSync(bench.runDirectory(aRun)) ? undefined : true));
});
