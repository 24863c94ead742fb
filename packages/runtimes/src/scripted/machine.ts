/** What scripted runs happen on: it outlives the runtime objects, as a real machine outlives workers. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertNever } from '@sheaf/domain';
import { RuntimeError, type RunExit, type RunSpecification, type RunStatistics } from '../port.ts';
import { parseScript, type ScriptStep } from './script.ts';

interface ScriptedRun {
  readonly specification: RunSpecification;
  readonly startedAt: number;
  readonly kill: AbortController;
  readonly ended: Promise<RunExit>;
  exit: RunExit | undefined;
  memory: number;
}

export class ScriptedMachine {
  readonly #runs = new Map<string, ScriptedRun>();
  /** Names of images that can be had; undefined: any. */
  readonly images: readonly string[] | undefined;

  constructor(options: { readonly images?: readonly string[] } = {}) {
    this.images = options.images;
  }

  /** Every run that was started and not destroyed, as it was asked for. */
  get specifications(): readonly RunSpecification[] {
    return [...this.#runs.values()].map((run) => run.specification);
  }

  get names(): readonly string[] {
    return [...this.#runs.keys()];
  }

  find(name: string): ScriptedRun | undefined {
    return this.#runs.get(name);
  }

  async start(name: string, specification: RunSpecification): Promise<void> {
    const steps = parseScript(specification.command);
    const refusal = steps.find((step) => step.kind === 'fail-to-start');
    if (refusal) {
      throw new RuntimeError(refusal.reason, { userError: true });
    }
    this.remove(name);
    for (const file of ['stdout', 'stderr']) {
      await writeFile(join(specification.directory, file), '');
    }
    const kill = new AbortController();
    const startedAt = Date.now();
    const ended = this.#perform(name, specification, steps, kill.signal);
    const run: ScriptedRun = { specification, startedAt, kill, ended, exit: undefined, memory: 1 << 20 };
    this.#runs.set(name, run);
    ended.then(
      (exit) => (run.exit = exit),
      () => undefined,
    );
  }

  remove(name: string): void {
    this.#runs.get(name)?.kill.abort();
    this.#runs.delete(name);
  }

  statistics(name: string): RunStatistics | undefined {
    const run = this.#runs.get(name);
    if (!run || run.exit) {
      return undefined;
    }
    return usageOf(run, Date.now());
  }

  finalStatistics(name: string): RunStatistics | undefined {
    const run = this.#runs.get(name);
    return run?.exit && usageOf(run, run.exit.finishedAt ?? run.startedAt);
  }

  async #perform(
    name: string,
    specification: RunSpecification,
    steps: readonly ScriptStep[],
    killed: AbortSignal,
  ): Promise<RunExit> {
    const startedAt = Date.now();
    const end = (exitCode: number | null, outOfMemory = false, message: string | null = null): RunExit => ({
      exitCode,
      outOfMemory,
      message,
      startedAt,
      finishedAt: exitCode === null ? null : Date.now(),
    });
    for (const step of steps) {
      if (killed.aborted) {
        return end(137);
      }
      switch (step.kind) {
        case 'echo':
          await appendFile(join(specification.directory, 'stdout'), `${step.text}\n`);
          break;
        case 'sleep':
          await pause(step.milliseconds, killed);
          break;
        case 'use-memory':
          this.#use(name, step.bytes);
          break;
        case 'exit':
          return end(step.code);
        case 'exhaust-memory':
          return end(137, true);
        case 'vanish':
          this.#runs.delete(name);
          return end(null, false, 'Scripted run not found');
        case 'fail-to-start':
          break;
        default:
          assertNever(step);
      }
    }
    return end(killed.aborted ? 137 : 0);
  }

  #use(name: string, bytes: number): void {
    const run = this.#runs.get(name);
    if (run) {
      run.memory = bytes;
    }
  }
}

/** A scripted run keeps one processor busy. */
function usageOf({ startedAt, memory }: ScriptedRun, until: number): RunStatistics {
  return { cpuUser: (until - startedAt) / 1000, cpuSystem: 0, memory, memoryMax: memory };
}

/** Ends early where the run is killed. */
async function pause(milliseconds: number, killed: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal: killed, ref: false });
  } catch (error) {
    if (!killed.aborted) {
      throw error;
    }
  }
}
