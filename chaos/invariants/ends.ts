/** Every run is final, and ended as its command says, or for what the experiment did to it, tried as often as is promised. */
import { isPlatformFailure, type FailureCause } from '@sheaf/domain';
import type { Evidence, RunEvidence } from '../evidence/evidence.ts';
import { nameOf } from './name-of.ts';

const finalStates = new Set(['ready', 'failed', 'killed']);
/** docs/decisions/0781: further attempts after failures of the platform, and restarts of all kinds. */
const retries = 3;
const restarts = 10;

export function checkEnds({ runs, possible }: Pick<Evidence, 'runs' | 'possible'>): string[] {
  const byUuid = new Map(runs.map((run) => [run.planned.uuid, run]));
  const parentsOf = (run: RunEvidence) =>
    run.planned.parents.flatMap((number) => byUuid.get(runs[number]?.planned.uuid ?? '') ?? []);
  return runs.flatMap((run) => [...problemOf(run, parentsOf(run)), ...impossibleCauses(run, possible)]);
}

function problemOf(run: RunEvidence, parents: readonly RunEvidence[]): string[] {
  const { state, failureMessage: message } = run;
  const told = `${nameOf(run)} is ${state}${message === '' ? '' : `: ${message}`}`;
  if (!finalStates.has(state)) return [`${told}, which is not final`];
  if (isAsPlanned(run) || (state === 'failed' && isExcused(run, parents))) return [];
  return [`${told}; ${wanted(run)}`];
}

function isAsPlanned({ planned, state, failureMessage }: RunEvidence): boolean {
  const { ending } = planned;
  if (ending.kind !== state) return false;
  return ending.kind !== 'failed' || failureMessage.includes(ending.message);
}

function wanted({ planned: { ending } }: RunEvidence): string {
  switch (ending.kind) {
    case 'ready':
      return 'it should be ready';
    case 'killed':
      return 'it should be killed';
    case 'failed':
      return `it should have failed with "${ending.message}"`;
  }
}

/** The platform may fail a run only after it has tried as often as it promises, and a parent that failed takes its children along. */
function isExcused(run: RunEvidence, parents: readonly RunEvidence[]): boolean {
  const restaged = run.events.filter(({ kind }) => kind === 'restaged');
  const spoilt = restaged.filter(({ cause }) => cause !== undefined);
  const { failureMessage: message } = run;
  if (spoilt.length >= retries && message.includes(`it was tried ${spoilt.length + 1} times`)) return true;
  if (restaged.length >= restarts && message.includes('could not be started after')) return true;
  return message.startsWith('Parent bundles failed') && parents.some(({ state }) => state === 'failed');
}

function impossibleCauses(run: RunEvidence, possible: ReadonlySet<FailureCause>): string[] {
  return run.events
    .filter(({ cause }) => cause !== undefined && !(isKnown(cause) && possible.has(cause)))
    .map(
      ({ cause, text }) =>
        `${nameOf(run)} failed because of ${cause}, which nothing in the experiment brings about: ${text}`,
    );
}

function isKnown(cause: string): cause is FailureCause {
  return isPlatformFailure(cause as FailureCause);
}
