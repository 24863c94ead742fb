/** Each attempt's result is recorded once at most, and what is final stays as it is: read off every change that was committed. */
import { isFinal, mayMove, type BundleState } from '@sheaf/domain';
import type { Change, Evidence } from '../evidence/evidence.ts';

export function checkResultsOnce({ changes }: Pick<Evidence, 'changes'>): string[] {
  const found: string[] = [];
  const last = new Map<string, Change>();
  for (const change of changes) {
    const before = last.get(change.uuid);
    if (before !== undefined) found.push(...problemsBetween(before, change));
    last.set(change.uuid, change);
  }
  return found;
}

function problemsBetween(before: Change, after: Change): string[] {
  const { uuid } = after;
  const [from, to] = [before.state as BundleState, after.state as BundleState];
  const problems: string[] = [];
  if (isFinal(from) && from !== to) problems.push(`${uuid} was ${from}, and then ${to}`);
  else if (from !== to && !mayMove('run', from, to)) problems.push(`${uuid} went from ${from} to ${to}`);
  if (after.epoch < before.epoch)
    problems.push(`${uuid} went back from attempt ${before.epoch} to ${after.epoch}`);
  if (isFinal(from) && after.root !== before.root)
    problems.push(`The result of ${uuid} was changed after its end`);
  else if (before.root !== null && after.root !== null && after.root !== before.root) {
    problems.push(`The result of attempt ${after.epoch} of ${uuid} was recorded twice`);
  }
  return problems;
}
