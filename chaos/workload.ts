/**
 * What is executed during the experiment, and how each run must end. Every command hashes what its dependencies left and its own
 * number, so that a lost, stale or mixed-up result changes all that come after it.
 */
import { createHash } from 'node:crypto';
import type { Chance } from './random.ts';

export type Ending =
  | { readonly kind: 'ready' }
  /** By its own fault: never tried again. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Somebody kills it while it is under way; should it have ended before, it must be ready. */
  | { readonly kind: 'killed' };

export interface PlannedRun {
  readonly uuid: string;
  readonly number: number;
  readonly command: string;
  /** Numbers of earlier runs; mounted as `p<number>`. */
  readonly parents: readonly number[];
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  readonly ending: Ending;
  /** What the file `out` holds whenever the command came that far. */
  readonly output: string;
}

/** @param count at least 1 */
export function planRuns(chance: Chance, count: number): PlannedRun[] {
  const planned: PlannedRun[] = [];
  for (let number = 0; number < count; number += 1) {
    const ready = planned.filter(({ ending }) => ending.kind === 'ready').slice(-20);
    const parents = pickParents(chance, ready);
    planned.push(planRun(chance, number, parents));
  }
  return planned;
}

function pickParents(chance: Chance, among: readonly PlannedRun[]): PlannedRun[] {
  const [first, ...rest] = among;
  if (first === undefined) return [];
  const wanted = chance.pick([0, 0, 1, 1, 2, 3]);
  const chosen = new Set<PlannedRun>();
  for (let each = 0; each < wanted; each += 1) chosen.add(chance.pick([first, ...rest]));
  return [...chosen];
}

function planRun(chance: Chance, number: number, parents: readonly PlannedRun[]): PlannedRun {
  const kind = chance.pick<'ready' | 'exit' | 'time' | 'killed'>([
    'ready',
    'ready',
    'ready',
    'ready',
    'ready',
    'ready',
    'exit',
    'time',
    'killed',
  ]);
  const files = parents.map((parent) => `p${parent.number}/out`).join(' ');
  const hash = `( echo ${number}; cat ${files === '' ? '/dev/null' : files} ) | sha256sum > out`;
  const text = `${number}\n${parents.map(({ output }) => output).join('')}`;
  const common = {
    uuid: `0x${hex(chance)}`,
    number,
    parents: parents.map((parent) => parent.number),
    output: `${createHash('sha256').update(text).digest('hex')}  -\n`,
  };
  const pause = (chance.between(0, 20) / 10).toFixed(1);
  const metadata = { request_memory: '64m', request_cpus: 1, request_priority: chance.between(-1, 1) };
  switch (kind) {
    case 'ready':
      return { ...common, metadata, command: `sleep ${pause}; ${hash}`, ending: { kind: 'ready' } };
    case 'exit':
      return {
        ...common,
        metadata,
        command: `${hash}; sleep ${pause}; exit 3`,
        ending: { kind: 'failed', message: 'Exit code 3' },
      };
    case 'time':
      return {
        ...common,
        metadata: { ...metadata, request_time: '1' },
        command: `${hash}; sleep 600`,
        ending: { kind: 'failed', message: 'Time limit exceeded.' },
      };
    case 'killed':
      return { ...common, metadata, command: `${hash}; sleep 600`, ending: { kind: 'killed' } };
  }
}

function hex(chance: Chance): string {
  return Array.from({ length: 32 }, () => chance.between(0, 15).toString(16)).join('');
}
