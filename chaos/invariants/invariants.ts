/** What must hold when everything has been put right again and all is quiet (docs/chaos.md). */
import type { Evidence } from '../evidence/evidence.ts';
import { checkAccounts } from './accounts.ts';
import { checkContents } from './contents.ts';
import { checkEnds } from './ends.ts';
import { checkHistories } from './history.ts';
import { checkMachine, checkServer, checkWorkers } from './leftovers.ts';
import { checkResultsOnce } from './results-once.ts';

const invariants: readonly ((evidence: Evidence) => string[])[] = [
  checkEnds,
  checkContents,
  checkResultsOnce,
  checkHistories,
  checkAccounts,
  checkServer,
  checkWorkers,
  checkMachine,
];

/** Sentences about what is wrong; none is what we want. */
export function violations(evidence: Evidence): string[] {
  return invariants.flatMap((check) => check(evidence));
}
