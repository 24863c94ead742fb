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
  /** Somebody kills it while it is under way. */
  | { readonly kind: 'killed' };

export interface PlannedRun {
  readonly uuid: string;
  readonly number: number;
  /** Which of the people it belongs to; runs depend on those of their owner only. */
  readonly owner: number;
  readonly command: string;
  /** Numbers of earlier runs; mounted as `p<number>`. */
  readonly parents: readonly number[];
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  readonly ending: Ending;
  /** What the file `out` holds whenever the command came that far. */
  readonly output: string;
  /** Bytes of the file `bulk`, which repeats `out`. */
  readonly bulkBytes: number;
}

/** Bytes that the caches of the workers may take: some dozens of results. */
export const cacheLimit = 4_000_000;
const largestBulk = 200_000;

/** @param count at least 1 */
export function planRuns(chance: Chance, count: number): PlannedRun[] {
  const planned: PlannedRun[] = [];
  for (let number = 0; number < count; number += 1) {
    const owner = chance.pick([0, 0, 1]);
    const ready = planned.filter((run) => run.ending.kind === 'ready' && run.owner === owner).slice(-20);
    planned.push(planRun(chance, { number, owner, parents: pickParents(chance, ready) }));
  }
  return planned;
}

/**
 * Runs for the very end, one for each worker: each depends on something that no cache has room for.
 * @param first number of the first of them
 * @param tags of the workers
 */
export function planSqueeze(chance: Chance, first: number, tags: readonly string[]): PlannedRun[] {
  const bulkBytes = Math.round(cacheLimit * 1.05);
  const large: PlannedRun = {
    ...planReady(chance, { number: first, owner: 0, parents: [] }),
    bulkBytes,
    command: `${hashCommand(first, [])} && ${bulkCommand(bulkBytes)}`,
  };
  const users = tags.map((tag, at): PlannedRun => {
    const run = planReady(chance, { number: first + 1 + at, owner: 0, parents: [large] });
    return { ...run, metadata: { ...run.metadata, request_queue: tag } };
  });
  return [large, ...users];
}

function pickParents(chance: Chance, among: readonly PlannedRun[]): PlannedRun[] {
  const [first, ...rest] = among;
  if (first === undefined) return [];
  const wanted = chance.pick([0, 0, 1, 1, 2, 3]);
  const chosen = new Set<PlannedRun>();
  for (let each = 0; each < wanted; each += 1) chosen.add(chance.pick([first, ...rest]));
  return [...chosen];
}

interface Place {
  readonly number: number;
  readonly owner: number;
  readonly parents: readonly PlannedRun[];
}

function planRun(chance: Chance, place: Place): PlannedRun {
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
  const run = planReady(chance, place);
  const work = run.command;
  switch (kind) {
    case 'ready':
      return run;
    case 'exit':
      return {
        ...run,
        command: `${work} && exit 3`,
        ending: { kind: 'failed', message: 'Exit code 3' },
      };
    case 'time':
      return {
        ...run,
        metadata: { ...run.metadata, request_time: '3' },
        command: `${work} && sleep 600`,
        ending: { kind: 'failed', message: 'Time limit exceeded.' },
      };
    case 'killed':
      return { ...run, command: `${work} && sleep 600`, ending: { kind: 'killed' } };
  }
}

function planReady(chance: Chance, { number, owner, parents }: Place): PlannedRun {
  const output = hashLine(
    `${number}\n${parents.map((parent) => `${parent.output}${bulkOf(parent)}`).join('')}`,
  );
  const bulkBytes = chance.between(0, largestBulk);
  const pause = (chance.between(0, 20) / 10).toFixed(1);
  const command = [
    hashCommand(
      number,
      parents.map((parent) => parent.number),
    ),
    bulkCommand(bulkBytes),
    `sleep ${pause}`,
  ].join(' && ');
  return {
    uuid: `0x${hex(chance)}`,
    number,
    owner,
    parents: parents.map((parent) => parent.number),
    output,
    bulkBytes,
    metadata: { request_memory: '64m', request_cpus: 1, request_priority: chance.between(-1, 1) },
    command,
    ending: { kind: 'ready' },
  };
}

function hashCommand(number: number, parents: readonly number[]): string {
  const files = parents.map((parent) => `p${parent}/out p${parent}/bulk`).join(' ');
  return `( echo ${number}; cat ${files === '' ? '/dev/null' : files} ) | sha256sum > out`;
}

/** What the file `bulk` holds. */
export function bulkOf({ output, bulkBytes }: Pick<PlannedRun, 'output' | 'bulkBytes'>): string {
  return output.repeat(Math.ceil(bulkBytes / output.length)).slice(0, bulkBytes);
}

function bulkCommand(bytes: number): string {
  return `yes "$(cat out)" | head -c ${bytes} > bulk`;
}

function hashLine(text: string): string {
  return `${digestOf(text)}  -\n`;
}

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hex(chance: Chance): string {
  return Array.from({ length: 32 }, () => chance.between(0, 15).toString(16)).join('');
}
