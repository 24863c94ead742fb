/** Looks at a running command once a second: what it uses, and whether it keeps to its limits (execution.md §21). */
import type { RunHandle, Runtime } from '@sheaf/runtimes';
import { messageOf } from '../errors.ts';
import { measureDirectory } from './disk-usage.ts';
import type { HeldRun } from './held-run.ts';
import { nextLook, violatedLimits } from './outcome.ts';
import type { RunTools } from './tools.ts';

export interface Observed {
  readonly run: HeldRun;
  readonly tools: RunTools;
  readonly runtime: Runtime;
  readonly handle: RunHandle;
}

/** Goes on until the signal fires; never fails, because a run must not die of what cannot be measured. */
export async function observe(observed: Observed, signal: AbortSignal): Promise<void> {
  // One wait for all: most of what is to be said about a command of a moment is said when it has ended.
  if (!(await rest(observed.tools, first, signal))) return;
  await Promise.all([
    repeat(observed, signal, useSampler(observed)),
    repeat(observed, signal, diskMeter(observed, signal)),
    repeat(observed, signal, timeKeeper(observed)),
    repeat(observed, signal, roomKeeper(observed)),
  ]);
}

/** Answers after how many milliseconds it wants to look again. */
type Look = () => Promise<number>;

const first = 100;
const usual = 1000;
const afterFailure = 5000;

async function repeat({ run, tools }: Observed, signal: AbortSignal, look: Look): Promise<void> {
  let pause: number;
  do {
    try {
      pause = await look();
    } catch (error) {
      if (signal.aborted) return;
      tools.log.warn({ run: run.uuid, error: messageOf(error) }, 'a run cannot be observed');
      pause = afterFailure;
    }
  } while (await rest(tools, pause, signal));
}

/** Answers whether it was all of the pause, and not the signal's end of it. */
async function rest(
  { clock }: Pick<RunTools, 'clock'>,
  milliseconds: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await clock.sleep(milliseconds, signal);
    return true;
  } catch {
    // Nothing but the signal ends a pause.
    return false;
  }
}

/** Ends the run where it has passed a limit. */
function judge({ run, tools, runtime }: Observed): void {
  const { record } = run;
  const text = violatedLimits(record.message.resources, {
    containerSeconds: run.secondsRun(tools.clock.now()),
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
    return nextLook(time, run.secondsRun(tools.clock.now()));
  };
}

/** Apart from the rest: an engine may take long to say what a command uses, and by then there may be room again. */
function roomKeeper({ run, tools }: Observed): Look {
  return async () => {
    run.metFullDisk ||= await tools.diskIsFull();
    return usual;
  };
}

/** The first looks come sooner: where nobody keeps count for us, a command of a second must not end unseen. */
const pauses = [400, 500];

function useSampler(observed: Observed): Look {
  const { run, tools, runtime, handle } = observed;
  let looks = 0;
  return async () => {
    const statistics = await runtime.statistics(handle);
    const now = tools.clock.now();
    if (statistics !== undefined) {
      run.meter.read(statistics, now);
      run.samples.add(run.meter.sample(now));
      judge(observed);
    }
    const { cores, memory } = run.meter;
    run.notice({ ...run.live, cpuUsage: cores, memory });
    looks += 1;
    return pauses[looks - 1] ?? usual;
  };
}

/** At most a tenth of the time is spent on measuring, and never more than once a second. */
function diskMeter(observed: Observed, signal: AbortSignal): Look {
  const { run, tools } = observed;
  return async () => {
    const began = tools.clock.elapsed();
    const { bytes } = await measureDirectory(run.directory, signal);
    run.record.usage.disk = bytes;
    // Told with the next sample; only a limit cannot wait.
    judge(observed);
    return Math.max(usual, 9 * (tools.clock.elapsed() - began));
  };
}
