/** What is told about an experiment at its end. */
import type { Outcome } from './experiment.ts';
import type { ChaosSettings } from './settings.ts';

/** @param seconds that it took altogether */
export function report(
  outcome: Outcome,
  settings: ChaosSettings,
  { commit, seconds }: { commit: string; seconds: number },
): string {
  const { seed, minutes, database, runtime, rate } = settings;
  const restarts = sum(outcome.restarts);
  return [
    `Commit ${commit}, seed ${seed}, ${minutes} minutes, ${database}, ${runtime}, ${rate} runs a minute; ${Math.round(seconds)} s in all`,
    `Runs: ${outcome.runs} (${list(outcome.ends)})`,
    `Faults: ${sum(outcome.faults)} (${list(outcome.faults)})`,
    `Attempts that came to nothing, or were out of sight: ${restarts}${restarts === 0 ? '' : ` (${list(outcome.restarts)})`}`,
    ...(outcome.ownEnds.size === 0
      ? []
      : [`Ended by themselves, and started again: ${list(outcome.ownEnds)}`]),
    ...outcome.violations.map((violation) => `VIOLATION ${violation}`),
    `${outcome.violations.length} violations.`,
    ...(outcome.directory === '' ? [] : [`Everything is kept in ${outcome.directory}`]),
  ].join('\n');
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((all, count) => all + count, 0);
}
