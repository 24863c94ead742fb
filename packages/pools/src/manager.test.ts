import { waitingForWorker } from '@sheaf/domain';
import type { WorkerInfo } from '@sheaf/wire';
import { describe, expect, it } from 'vitest';
import { Manager, TooManyFailures, type ManagerOptions } from './manager.ts';
import { PoolError, type NewWorker, type Pool, type PoolJob } from './pool.ts';
import type { Amounts, WaitingRun } from './scaling/waiting-run.ts';

const amounts: Amounts = { cpus: 1, gpus: 0, memory: 1, disk: 0 };

function waitingRun(uuid: string, more: Partial<WaitingRun> = {}): WaitingRun {
  const run = { uuid, ownerId: 'me', controlled: true, asks: amounts, queue: '', image: false };
  return { ...run, reason: 'No worker.', ...more };
}

const settings: ManagerOptions['settings'] = {
  minimum: 0,
  maximum: 9,
  sleepSeconds: 5,
  startPauseSeconds: 0,
  once: false,
  verbose: false,
  worker: { idleSeconds: 60 },
};

/** A pool, a server and a clock in memory; `looks` says what changes before each look, and the loop ends after the last. */
class World implements Pool {
  readonly description = 'here';
  readonly jobs: PoolJob[] = [];
  readonly said: string[] = [];
  runs: WaitingRun[] = [];
  workers: WorkerInfo[] = [];
  trouble: Error | undefined;
  refusal: string | undefined;
  /** Jobs end well as soon as they start. */
  endsAtOnce = false;
  now = 1_000_000;
  started = 0;
  readonly attempts: number[] = [];

  async start({ id }: NewWorker): Promise<string> {
    this.attempts.push(this.now);
    if (this.refusal !== undefined) throw new PoolError(this.refusal);
    this.started += 1;
    this.jobs.push(job(id, { submittedAt: this.now, ...(this.endsAtOnce ? { phase: 'ended' } : {}) }));
    return id;
  }

  async list(): Promise<PoolJob[]> {
    if (this.trouble !== undefined) throw this.trouble;
    return [...this.jobs];
  }

  async stop({ id }: PoolJob): Promise<void> {
    this.jobs.splice(
      this.jobs.findIndex((one) => one.id === id),
      1,
    );
  }

  async manage(looks: readonly (() => void)[], more: Partial<ManagerOptions> = {}): Promise<void> {
    const end = new AbortController();
    const left = [...looks];
    left.shift()?.();
    await new Manager({
      settings,
      pool: this,
      server: {
        serving: { userId: 'me', everybody: false, members: new Set() },
        workers: async () => this.workers,
        waitingRuns: async (passes) => this.runs.filter(passes),
      },
      shape: { ...amounts, disk: Infinity, tag: null, tagExclusive: false, images: true, runs: Infinity },
      newWorker: () => ({ id: `w${this.started}`, username: 'me', password: '' }),
      clock: {
        now: () => this.now,
        sleep: async (milliseconds) => {
          this.now += milliseconds;
          const next = left.shift();
          if (next === undefined) end.abort();
          else next();
        },
      },
      say: (text) => this.said.push(text),
      ...more,
    }).run(end.signal);
  }
}

function job(id: string, more: Partial<PoolJob> = {}): PoolJob {
  const times = { submittedAt: 0, runningSince: undefined };
  return { id, workerId: id, phase: 'waiting', ...times, note: '', failed: false, ...more };
}

function worker(id: string, more: Partial<WorkerInfo> = {}): WorkerInfo {
  return {
    user_id: 'me',
    worker_id: `host-${id}`,
    group_uuid: null,
    tag: null,
    cpus: 1,
    gpus: 0,
    memory_bytes: 1,
    free_disk_bytes: 9,
    checkin_time: 0,
    socket_id: 0,
    run_uuids: [],
    cpus_in_use: 0,
    gpus_in_use: 0,
    shared_file_system: false,
    tag_exclusive: false,
    is_terminating: false,
    preemptible: false,
    exit_after_num_runs: 999_999_999,
    runtime: null,
    slots: null,
    ...more,
  };
}

const same = () => undefined;

describe('the loop', () => {
  it('starts one worker for a run, and none more while it is on its way', async () => {
    const world = new World();

    await world.manage([() => world.runs.push(waitingRun('a')), same, same]);

    expect(world.started).toBe(1);
    expect(world.said[0]).toBe('Started job w0 for the worker host-w0: run a (1 CPUs) waits.');
  });

  it('looks twice at a run that the server has not thought about yet, and soon', async () => {
    const world = new World();
    const fresh = waitingRun('a', { reason: waitingForWorker });

    await world.manage([() => world.runs.push(fresh), () => (world.runs = [])]);
    expect(world.started).toBe(0);
    expect(world.now).toBe(1_006_000);

    await world.manage([() => world.runs.push(fresh), same]);
    expect(world.started).toBe(1);
  });

  it('decides nothing while the pool does not answer, and says so once', async () => {
    const world = new World();
    world.runs.push(waitingRun('a'));
    const away = () => (world.trouble = new PoolError('Nobody answers.'));

    await world.manage([away, same, same, () => (world.trouble = undefined)]);

    expect(world.said.filter((text) => text === 'Nobody answers. Trying again.')).toHaveLength(1);
    expect(world.started).toBe(1);
  });

  it('leaves the pool alone for longer and longer when starts are refused', async () => {
    const world = new World();
    world.runs.push(waitingRun('a'));
    world.refusal = 'No.';

    await world.manage(Array.from({ length: 20 }, () => same));

    const pauses = world.attempts.slice(1).map((time, index) => time - (world.attempts[index] ?? 0));
    expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(world.said[0]).toBe('No. Another one is tried after a pause.');
  });

  it('leaves the pool alone for longer and longer when jobs end well and no worker has come', async () => {
    const world = new World();
    world.runs.push(waitingRun('a'));
    world.endsAtOnce = true;

    await world.manage(Array.from({ length: 20 }, () => same));

    const pauses = world.attempts.slice(1).map((time, index) => time - (world.attempts[index] ?? 0));
    expect(pauses).toEqual([10_000, 15_000, 25_000, 45_000]);
    expect(world.said[1]).toMatch(/^A job failed \(job w0 has ended before its worker signed in\)/);
  });

  it('pauses after the start of a job that has ended meanwhile, also one from before its own start', async () => {
    const world = new World();
    world.runs.push(waitingRun('a'));
    world.jobs.push(job('old', { phase: 'ended', submittedAt: world.now }));

    await world.manage([same, same, same], { settings: { ...settings, startPauseSeconds: 10 } });

    expect(world.attempts).toEqual([1_010_000]);
  });

  it('goes on when something else than the server answers', async () => {
    const world = new World();
    world.runs.push(waitingRun('a'));
    world.trouble = new SyntaxError('Unexpected token <');

    await world.manage([same, () => (world.trouble = undefined)]);

    expect(world.said[0]).toBe('The server does not answer as a Sheaf or CodaLab server. Trying again.');
    expect(world.started).toBe(1);
  });

  it('looks a second time also with once and a short pause', async () => {
    const world = new World();
    world.runs.push(waitingRun('a', { reason: waitingForWorker }));

    await world.manage([same, same], { settings: { ...settings, once: true, sleepSeconds: 0.3 } });

    expect(world.started).toBe(1);
  });

  it('starts no second worker for runs with images once the first has turned out to have none', async () => {
    const world = new World();
    world.runs.push(waitingRun('a', { image: true }));
    const noImages = { name: 'sandbox', images: false, description: '' };

    await world.manage([
      same,
      () => {
        world.jobs.splice(0, 1, job('w0', { phase: 'running', runningSince: world.now }));
        world.workers = [worker('w0', { runtime: noImages, run_uuids: ['other'] })];
      },
      () => {
        world.jobs.length = 0;
        world.workers = [];
      },
      same,
    ]);

    expect(world.started).toBe(1);
  });

  it('ends when more jobs have failed than allowed, those from before its start left out', async () => {
    const world = new World();
    const failed = (id: string) => job(id, { phase: 'ended', failed: true, note: 'FAILED' });
    world.jobs.push(failed('old'));

    const managing = world.manage([same, () => world.jobs.push(failed('new'))], { mostFailed: 0 });

    await expect(managing).rejects.toThrow(TooManyFailures);
    expect(world.now).toBe(1_005_000);
  });
});
