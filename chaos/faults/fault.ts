import type { FailureCause } from '@sheaf/domain';
import type { Chance } from '../random.ts';
import type { Site, Worker } from '../site.ts';

/** Something that goes wrong. Several may be under way at once; nothing waits for another. */
export interface Fault {
  readonly name: string;
  /** How often it is chosen, against the others. */
  readonly weight: number;
  /** Why attempts of runs may fail because of it; in every other way it must pass unnoticed. */
  readonly causes: readonly FailureCause[];
  /** Breaks something, leaves it broken for a while, and mends it. Returns the words for the log, once it is broken. */
  strike(site: Site, chance: Chance): { readonly what: string; readonly over: Promise<void> };
}

export const second = 1000;

export function anyWorker(site: Site, chance: Chance): Worker {
  const [first, ...rest] = site.workers;
  if (first === undefined) throw new Error('There are no workers');
  return chance.pick([first, ...rest]);
}

export function chooseFault(among: readonly Fault[], chance: Chance): Fault {
  const total = among.reduce((sum, { weight }) => sum + weight, 0);
  let left = chance.next() * total;
  for (const fault of among) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  throw new Error('There is no fault to choose');
}
