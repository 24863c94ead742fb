/**
 * What servers that know nothing of slots are told instead (execution.md §28.1). Whether this one does shows in what it sends: a run
 * from a server of ours carries the number of its attempt, one from an original server does not.
 */
import { isExecuting, type RunRecord } from '../run/record.ts';

export interface Load {
  /** Runs that hold a slot, from being accepted until their results are uploaded. */
  readonly runs: number;
  /** Processors they were given by the server. */
  readonly cpus: number;
  /** Whether the server that sent them looks at slots itself. */
  readonly serverKnowsSlots: boolean;
}

export function loadOf(records: readonly RunRecord[]): Load {
  const holding = records.filter(({ step }) => isExecuting(step) || step === 'collect' || step === 'upload');
  return {
    runs: holding.length,
    // Original servers count at least one for each.
    cpus: holding.reduce((sum, { message }) => sum + Math.max(1, message.resources.cpus), 0),
    serverKnowsSlots: holding.some(({ message }) => message.epoch !== undefined),
  };
}

/** All there are; where every slot is taken and the server would not know, only those in use, so that none seem free. */
export function cpusToReport(slots: number | null, all: number, load: Load): number {
  const full = slots !== null && load.runs >= slots;
  return full && !load.serverKnowsSlots ? load.cpus : all;
}
