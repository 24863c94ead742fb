/*
 * Tells workers which waiting runs will probably come to them, so that they can fetch images and inputs meanwhile
 * (docs/decisions/0712-hints.md). A hint promises nothing: it is given once, to one worker, and is dropped when it has become old.
 */
import { hintsPerWorker, type Hint, type ResourceRequest } from '@sheaf/domain';
import { findBundles, mayUserRead } from '../bundles/access.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { dropMessagesOfRun, queueMessage } from '../workers/message-queue.ts';
import type { WorkerKey } from '../workers/worker-key.ts';
import { messageDependencies } from './assign.ts';

/** Milliseconds after which a hint that nobody fetched is dropped, and one that was fetched no longer counts as open. */
const hintLife = 10 * 60 * 1000;

interface Told {
  readonly since: number;
  readonly times: number;
}

/** Different things that one worker was told to fetch, as far as they are remembered. */
const mostTold = 50;

interface Given {
  readonly worker: string;
  readonly at: number;
}

/** The hints that runs which still wait have given rise to. */
export class GivenHints {
  readonly #byRun = new Map<string, Given[]>();
  /** What each worker was told to fetch. */
  readonly #told = new Map<string, Map<string, Told>>();

  /** Those of the planned hints that are new and that their workers have room for. */
  fresh(hints: readonly Hint[], now: number): Hint[] {
    const open = new Map<string, number>();
    for (const { worker, at } of [...this.#byRun.values()].flat()) {
      if (at > now - hintLife) open.set(worker, (open.get(worker) ?? 0) + 1);
    }
    return hints.filter(({ run, worker }) => {
      const count = open.get(worker) ?? 0;
      const known = this.#byRun.get(run)?.some((given) => given.worker === worker) === true;
      if (known || count >= hintsPerWorker) return false;
      open.set(worker, count + 1);
      return true;
    });
  }

  /** To be told once they are committed. */
  note(hints: readonly Hint[], now: number): void {
    for (const { run, worker } of hints) {
      this.#byRun.set(run, [...(this.#byRun.get(run) ?? []), { worker, at: now }]);
    }
  }

  /**
   * Whether the worker was told to fetch the very same again and again: equal runs by the thousand are no news to it. Counts it as told
   * once more, if not.
   * @param needs the image and everything that is fetched with it, as one text
   */
  isRepeated(worker: string, needs: string, now: number): boolean {
    const told = this.#told.get(worker) ?? new Map<string, Told>();
    this.#told.set(worker, told);
    const known = told.get(needs);
    const isRecent = known !== undefined && known.since > now - hintLife && known.since <= now;
    if (isRecent && known.times >= hintsPerWorker) return true;
    told.delete(needs);
    told.set(needs, isRecent ? { ...known, times: known.times + 1 } : { since: now, times: 1 });
    for (const [oldest] of told) {
      if (told.size <= mostTold) break;
      told.delete(oldest);
    }
    return false;
  }

  has(run: string): boolean {
    return this.#byRun.has(run);
  }

  /** Forgets workers that are gone: one that comes back may have lost what it had, and many never come back. */
  keepWorkers(isThere: (worker: string) => boolean): void {
    for (const worker of this.#told.keys()) if (!isThere(worker)) this.#told.delete(worker);
  }

  /** Forgets runs that wait no longer. */
  keepOnly(waits: (run: string) => boolean): void {
    for (const run of this.#byRun.keys()) if (!waits(run)) this.#byRun.delete(run);
  }
}

export interface HintedRun {
  readonly uuid: string;
  readonly request: ResourceRequest;
}

/** Queues a hint. What the worker's owner may not read is left out: nobody fetches it before the run is given to the worker. */
export async function queueHint(
  unit: UnitOfWork,
  entries: DependencyEntries,
  { uuid, request }: HintedRun,
  worker: WorkerKey,
  now: number,
): Promise<void> {
  const dependencies = await messageDependencies(unit, entries, uuid);
  const readable = await readableBy(
    unit,
    worker.userId,
    dependencies.map(({ parent_uuid: parent }) => parent),
  );
  await queueMessage(unit, now, {
    userId: worker.userId,
    workerId: worker.workerId,
    runUuid: uuid,
    epoch: null,
    expiresAt: now + hintLife,
    message: {
      type: 'prefetch',
      uuid,
      docker_image: request.image,
      image_requested: request.imageRequested,
      dependencies: dependencies
        .filter(({ parent_uuid: parent }) => readable.has(parent))
        .map(({ parent_uuid, parent_path, entry }) => ({ parent_uuid, parent_path, entry: entry ?? null })),
    },
  });
}

/** The run has been given away: whoever was told about it need not be told any more. */
export async function dropHints(unit: UnitOfWork, uuid: string): Promise<void> {
  await dropMessagesOfRun(unit, uuid, ['prefetch']);
}

async function readableBy(
  unit: UnitOfWork,
  userId: string,
  uuids: readonly string[],
): Promise<ReadonlySet<string>> {
  const readable = new Set<string>();
  for (const row of await findBundles(unit.queries, uuids)) {
    if (row.owner_id === userId || (await mayUserRead(unit.queries, userId, row))) readable.add(row.uuid);
  }
  return readable;
}
