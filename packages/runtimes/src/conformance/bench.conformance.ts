/** A place for tests to start runs: real directories, and nothing left behind. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { removeTree } from '../files/remove-tree.ts';
import type { PreparedImage, RunExit, RunHandle, RunSpecification, Runtime } from '../port.ts';

export interface RuntimeHarness {
  /** A new object for the same worker: what a restarted worker would have. */
  open(): Promise<Runtime>;
  /** An image with bash and the usual programs; null where there are none. */
  image(runtime: Runtime): Promise<PreparedImage | null>;
}

export const never = new AbortController().signal;

/** Says how many of sixty processes it could start. */
export const forkMany = `python3 -c '
import os, time
started = 0
try:
    for started in range(60):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
except OSError:
    pass
print(started)'`;

/** Runs of one runtime, started with little ado. */
export class RunBench {
  runtime!: Runtime;
  image: PreparedImage | null = null;
  readonly directories: string[] = [];
  readonly handles: RunHandle[] = [];

  async directory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'sheaf-run-'));
    this.directories.push(directory);
    return directory;
  }

  async specification(command: string, changes: Partial<RunSpecification> = {}): Promise<RunSpecification> {
    return {
      uuid: `0x${randomBytes(16).toString('hex')}`,
      epoch: 1,
      command,
      image: this.image,
      directory: changes.directory ?? (await this.directory()),
      mounts: [],
      environment: {},
      cpuset: [],
      gpus: [],
      memory: 0,
      network: false,
      sharedMemory: 64 << 20,
      ...changes,
    };
  }

  async start(specification: RunSpecification): Promise<RunHandle> {
    const handle = await this.runtime.start(specification, never);
    this.handles.push(handle);
    return handle;
  }

  /** Runs a command to its end. */
  async run(command: string, changes: Partial<RunSpecification> = {}): Promise<Finished> {
    const specification = await this.specification(command, changes);
    const handle = await this.start(specification);
    const exit = await this.runtime.wait(handle, never);
    return { exit, specification, handle, ...(await this.output(specification)) };
  }

  async output({ directory }: RunSpecification): Promise<{ stdout: string; stderr: string }> {
    const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8').catch(() => '');
    return { stdout: await read('stdout'), stderr: await read('stderr') };
  }

  /** Waits until the run has written a text to its output. */
  async untilSays(specification: RunSpecification, text: string): Promise<void> {
    while (!(await this.output(specification)).stdout.includes(text)) {
      await sleep(10);
    }
  }

  async clear(): Promise<void> {
    for (const handle of this.handles.splice(0)) {
      await this.runtime.destroy(handle);
    }
    for (const directory of this.directories.splice(0)) {
      await removeTree(directory);
    }
  }
}

export interface Finished {
  readonly exit: RunExit;
  readonly specification: RunSpecification;
  readonly handle: RunHandle;
  readonly stdout: string;
  readonly stderr: string;
}

/** Prepares a bench for the tests of a `describe`. */
export function benchFor(harness: RuntimeHarness): RunBench {
  const bench = new RunBench();
  beforeAll(async () => {
    bench.runtime = await harness.open();
    bench.image = await harness.image(bench.runtime);
    // Images may have to be made first.
  }, 240_000);
  afterEach(() => bench.clear());
  afterAll(() => bench.runtime?.close());
  return bench;
}
