/** Chooses what the cache lets go of. */

export interface EvictionCandidate {
  readonly name: string;
  readonly size: number;
  readonly usedAt: number;
  /** A run uses it, or it is being downloaded. */
  readonly inUse: boolean;
  /** A run that waits will probably need it: it goes only after everything that nobody has asked for, the newest first. */
  readonly reserved?: boolean;
}

/** Going a little below the limit saves a clean-up for every further download. */
const target = 0.9;

/** Names to remove, least recently used first, until the rest fits; what is in use always stays. */
export function chooseEvictions(entries: readonly EvictionCandidate[], limit: number): string[] {
  let total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total <= limit) return [];
  const chosen: string[] = [];
  const idle = entries.filter(({ inUse }) => !inUse).sort(byWorth);
  for (const { name, size } of idle) {
    if (total <= limit * target) break;
    chosen.push(name);
    total -= size;
  }
  return chosen;
}

function byWorth(a: EvictionCandidate, b: EvictionCandidate): number {
  const [first, second] = [a.reserved === true, b.reserved === true];
  if (first !== second) return first ? 1 : -1;
  return first ? b.usedAt - a.usedAt : a.usedAt - b.usedAt;
}
