/** A runtime for tests: its runs are scripts that happen in this process, with real output files and no isolation at all. */
import { spawn } from 'node:child_process';
import { ChildSession } from '../exec/child-session.ts';
import { commandOnPath } from '../exec/marking.ts';
import {
  ImageError,
  type ImageRemoval,
  RuntimeError,
  type ExecRequest,
  type ExecSession,
  type ReachablePort,
  type PreparedImage,
  type PrepareImageOptions,
  type RecoveredRun,
  type RunExit,
  type RunHandle,
  type RunSpecification,
  type RunStatistics,
  type Runtime,
  type RuntimeCapabilities,
} from '../port.ts';
import type { ScriptedMachine } from './machine.ts';

export class ScriptedRuntime implements Runtime {
  readonly name = 'scripted';
  readonly description = 'Scripted runs in this process, for tests.';
  readonly capabilities: RuntimeCapabilities;
  readonly #machine: ScriptedMachine;

  constructor(machine: ScriptedMachine, capabilities: Partial<RuntimeCapabilities> = {}) {
    this.#machine = machine;
    this.capabilities = {
      images: true,
      cpuLimit: true,
      memoryLimit: true,
      networkIsolation: true,
      gpus: false,
      exec: true,
      ...capabilities,
    };
  }

  async prepareImage(reference: string, options: PrepareImageOptions): Promise<PreparedImage> {
    options.signal.throwIfAborted();
    options.onProgress('Downloading 1m/2m (50% done)');
    if (this.#machine.images?.includes(reference) === false) {
      throw new ImageError(`Can't download image ${reference}: there is no such image`, { transient: false });
    }
    return { id: reference, digest: `${reference}@sha256:${'0'.repeat(64)}`, size: 2 << 20 };
  }

  async removeImage(): Promise<ImageRemoval> {
    return 'gone';
  }

  async start(specification: RunSpecification, signal: AbortSignal): Promise<RunHandle> {
    signal.throwIfAborted();
    const { uuid, epoch } = specification;
    const handle = handleOf(nameOf({ uuid, epoch }));
    await this.#machine.start(nameOf(handle), specification);
    return handle;
  }

  async recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    const run = this.#machine.find(nameOf(handle));
    if (!run) {
      return undefined;
    }
    return run.exit ? { state: 'ended', exit: run.exit } : { state: 'running', startedAt: run.startedAt };
  }

  async list(): Promise<RunHandle[]> {
    return this.#machine.names.map(handleOf);
  }

  async wait(handle: RunHandle, signal: AbortSignal): Promise<RunExit> {
    signal.throwIfAborted();
    const run = this.#machine.find(nameOf(handle));
    if (!run) {
      return vanished;
    }
    const waiting = new AbortController();
    try {
      return await Promise.race([run.ended, untilAborted(signal, waiting.signal)]);
    } finally {
      waiting.abort();
    }
  }

  async stop(handle: RunHandle): Promise<void> {
    const run = this.#machine.find(nameOf(handle));
    run?.kill.abort();
    await run?.ended;
  }

  async destroy(handle: RunHandle): Promise<void> {
    await this.stop(handle);
    this.#machine.remove(nameOf(handle));
  }

  async statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.#machine.statistics(nameOf(handle));
  }

  async finalStatistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.#machine.finalStatistics(nameOf(handle));
  }

  async reach(handle: RunHandle, port: number): Promise<ReachablePort | undefined> {
    return this.#machine.find(nameOf(handle)) ? { host: '127.0.0.1', port } : undefined;
  }

  /** A real process of this machine, in the run's directory, until the run ends. */
  async exec(handle: RunHandle, { command, environment }: ExecRequest): Promise<ExecSession> {
    const run = this.#machine.find(nameOf(handle));
    if (!run || run.exit) {
      throw new RuntimeError('The run has ended', { userError: true });
    }
    const { directory } = run.specification;
    const env = { PATH: process.env['PATH'], ...run.specification.environment, ...environment };
    const [program = '', ...words] = commandOnPath(command);
    const child = spawn(program, words, { cwd: directory, env, detached: true, stdio: 'pipe' });
    const session = new ChildSession(child, { kill: async () => undefined, resize: async () => undefined });
    void run.ended.then(() => session.close());
    return session;
  }

  async close(): Promise<void> {
    // The runs go on: they belong to the machine.
  }
}

const vanished: RunExit = {
  exitCode: null,
  outOfMemory: false,
  message: 'Scripted run not found',
  startedAt: null,
  finishedAt: null,
};

function nameOf({ uuid, epoch }: { readonly uuid: string; readonly epoch: number }): string {
  return `${uuid}.${epoch}`;
}

function handleOf(name: string): RunHandle {
  const dot = name.lastIndexOf('.');
  return {
    runtime: 'scripted',
    uuid: name.slice(0, dot),
    epoch: Number(name.slice(dot + 1)),
    data: {},
  };
}

/** `over` fires when nobody waits any more, so that a signal that outlives many runs does not collect listeners. */
function untilAborted(signal: AbortSignal, over: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true, signal: over });
  });
}
