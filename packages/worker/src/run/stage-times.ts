/** When each stage of a run began and ended (execution.md §4.2). */
import { assertNever } from '@sheaf/domain';
import type { StageTiming } from '@sheaf/wire';
import { stages, type RunRecord, type Stage, type Step } from './record.ts';

/** The stage a step belongs to; undefined for runs that leave without finishing. */
export function stageOf(step: Step): Stage | undefined {
  switch (step) {
    case 'prepare':
    case 'start':
      return 'PREPARING';
    case 'watch':
      return 'RUNNING';
    case 'collect':
      return 'CLEANING_UP';
    case 'upload':
      return 'UPLOADING_RESULTS';
    case 'finish':
      return 'FINALIZING';
    case 'restaged':
    case 'dropped':
      return undefined;
    default:
      return assertNever(step);
  }
}

/** Notes that a run goes from its step to the next. @param now milliseconds since the epoch */
export function enterStep(record: RunRecord, next: Step, now: number): void {
  const before = stageOf(record.step);
  const after = stageOf(next);
  record.step = next;
  if (before === after) return;
  const left = before === undefined ? undefined : record.stages[before];
  if (left !== undefined) left.end = now;
  if (after !== undefined) record.stages[after] ??= { start: now, end: null };
}

/** As reports have it: seconds; a stage that was gone through never took no time at all. */
export function stageTimings(record: RunRecord): Record<string, StageTiming> {
  return Object.fromEntries(
    stages.map((stage) => {
      const times = record.stages[stage];
      return [`RUN_STAGE.${stage}`, timing(times?.start ?? null, times?.end ?? null)];
    }),
  );
}

function timing(start: number | null, end: number | null): StageTiming {
  return {
    start: start === null ? null : start / 1000,
    end: end === null ? null : end / 1000,
    elapsed: start === null || end === null ? null : Math.max(end - start, 1) / 1000,
  };
}
