/** Looks at a running command once a second: what it uses, and whether it keeps to its limits (execution.md §21). */
import type { RunHandle, RunStatistics, Runtime } from '@sheaf/runtimes';
import { messageOf } from '../errors.ts';
import { measureDirectory } from './disk-usage.ts';
import type { HeldRun } from './held-run.ts';
import { nextLook, violatedLimits } from './outcome.ts';
import { containerSeconds } from './report.ts';
import type { RunTools } from './tools.ts';

export interface Observed {
  readonly run: HeldRun;
  readonly tools: RunTools;
  readonly runtime: Runtime;
  readonly handle: RunHandle;
}

/** Goes on until the signal fires; never fails, because a run must not die of what cannot be measured. */
export async function observe(observed: Observed, signal: AbortSignal): Promise<void> {
  await Promise.all([
    repeat(observed, signal, useSampler(observed)),
    repeat(observed, signal, diskMeter(observed, signal)),
    repeat(observed, signal, timeKeeper(observed)),
  ]);
}

/** Answers after how many milliseconds it wants to look again. */
type Look = () => Promise<number>;

const first = 200;
const usual = 1000;
const afterFailure = 5000;

async function repeat({ run, tools }: Observed, signal: AbortSignal, look: Look): Promise<void> {
  for (let pause = first; !signal.aborted;) {
    try {
      await tools.clock.sleep(pause, signal);
      pause = await look();
    } catch (error) {
      if (signal.aborted) return;
      tools.log.warn({ run: run.uuid, error: messageOf(error) }, 'a run cannot be observed');
      pause = afterFailure;
    }
  }
}

/** Ends the run where it has passed a limit. */
function judge({ run, tools, runtime }: Observed): void {
  const { record } = run;
  const text = violatedLimits(record.message.resources, {
    containerSeconds: containerSeconds(record, tools.clock.now()),
    diskBytes: record.usage.disk,
    memoryBytes: runtime.capabilities.memoryLimit ? undefined : record.usage.memoryMax,
  });
  if (text !== undefined) run.kill({ kind: 'limit', message: text });
}

function timeKeeper(observed: Observed): Look {
  const { run, tools } = observed;
  const { time } = run.record.message.resources;
  return async () => {
    judge(observed);
    return nextLook(time, containerSeconds(run.record, tools.clock.now()));
  };
}

function useSampler(observed: Observed): Look {
  const { run, tools, runtime, handle } = observed;
  let last: { readonly at: number; readonly cpu: number } | undefined;
  return async () => {
    const sample = await runtime.statistics(handle);
    if (sample === undefined) return usual;
    const now = { at: tools.clock.now(), cpu: sample.cpuUser + sample.cpuSystem };
    note(run, sample, last === undefined ? null : coresBetween(last, now));
    last = now;
    judge(observed);
    return usual;
  };
}

function note(run: HeldRun, sample: RunStatistics, cores: number | null): void {
  const { usage } = run.record;
  usage.cpuUser = Math.max(usage.cpuUser, sample.cpuUser);
  usage.cpuSystem = Math.max(usage.cpuSystem, sample.cpuSystem);
  usage.memoryMax = Math.max(usage.memoryMax, sample.memoryMax);
  run.notice({ ...run.live, cpuUsage: cores ?? run.live.cpuUsage, memory: sample.memory });
}

function coresBetween(before: { at: number; cpu: number }, now: { at: number; cpu: number }): number | null {
  const seconds = (now.at - before.at) / 1000;
  return seconds <= 0 ? null : Math.max(0, (now.cpu - before.cpu) / seconds);
}

/** At most a tenth of the time is spent on measuring, and never more than once a second. */
function diskMeter(observed: Observed, signal: AbortSignal): Look {
  const { run, tools } = observed;
  return async () => {
    const began = tools.clock.now();
    const bytes = await measureDirectory(run.directory, signal);
    if (bytes !== run.record.usage.disk) {
      run.record.usage.disk = bytes;
      run.notice(run.live);
      judge(observed);
    }
    return Math.max(usual, 9 * (tools.clock.now() - began));
  };
}
