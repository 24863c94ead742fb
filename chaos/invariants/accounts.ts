/** What owners are charged is what their runs used: each attempt's container time once, and the bytes that are stored. */
import type { Change, Evidence } from '../evidence/evidence.ts';

/** Seconds: sums of fractions differ in their last digits. */
const tolerance = 1e-3;

export function checkAccounts({
  runs,
  changes,
  owners,
}: Pick<Evidence, 'runs' | 'changes' | 'owners'>): string[] {
  const ownerOf = new Map(runs.map(({ planned, ownerId }) => [planned.uuid, ownerId]));
  const seconds = secondsByOwner(changes, ownerOf);
  return owners.flatMap(({ id, name, timeUsed, diskUsed, bundleBytes }) => {
    const problems: string[] = [];
    const used = seconds.get(id) ?? 0;
    if (Math.abs(used - timeUsed) > tolerance)
      problems.push(`${name} is charged ${timeUsed} s, and the attempts took ${used} s`);
    if (diskUsed !== bundleBytes)
      problems.push(`The account of ${name} holds ${diskUsed} bytes, the bundles ${bundleBytes}`);
    return problems;
  });
}

/** The most that was ever known of each attempt; nothing is given back for one that came to nothing. */
function secondsByOwner(
  changes: readonly Change[],
  ownerOf: ReadonlyMap<string, string>,
): Map<string, number> {
  const attempts = new Map<string, { owner: string; seconds: number }>();
  for (const { uuid, epoch, seconds } of changes) {
    const key = `${uuid} ${epoch}`;
    const known = attempts.get(key)?.seconds ?? 0;
    attempts.set(key, { owner: ownerOf.get(uuid) ?? '', seconds: Math.max(known, seconds) });
  }
  const sums = new Map<string, number>();
  for (const { owner, seconds } of attempts.values()) sums.set(owner, (sums.get(owner) ?? 0) + seconds);
  return sums;
}
