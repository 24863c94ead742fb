/* What a waiting run has been through: which workers it is kept from, and whether it is hopeless (execution.md §31.4). */
import { z } from 'zod';
import { inChunks } from '../../database/chunks.ts';
import { readableJson } from '../../database/readable-json.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import { mostRestarts } from '../ended-report.ts';

const restarted = z.object({ worker: z.string().optional(), failure_cause: z.string().optional() });

/** Restarts of one run from the same worker after which it goes elsewhere for a while. */
const restartsBeforeAvoiding = 3;
const avoidedFor = 60 * 60 * 1000;
/** A worker that could not execute a run does not get it back at once: engines come back, and other workers may be free. */
const firstPause = 5000;
const longerEachTime = 2;

interface Restart {
  readonly worker: string;
  readonly at: number;
  /** The run began, and the worker could not execute it. */
  readonly isSpoilt: boolean;
}

/** The times a run went back to the queue. */
export class Attempts {
  /** How often. */
  readonly count: number;
  readonly #restarts: readonly Restart[];

  /** @param restarts those of which the worker is known, in their order */
  constructor(count: number, restarts: readonly Restart[]) {
    this.count = count;
    this.#restarts = restarts;
  }

  /** Whether it could not be started so often that nobody tries again. */
  get exhausted(): boolean {
    return this.count >= mostRestarts;
  }

  /** Whether it may be kept from a worker at some time. */
  get isTroubled(): boolean {
    return this.#restarts.some(({ isSpoilt }) => isSpoilt) || this.#restarts.length >= restartsBeforeAvoiding;
  }

  /** Keys of workers the run is kept from. */
  avoidedAt(now: number): ReadonlySet<string> {
    const avoided = new Set<string>();
    for (const [worker, { unbegun, pause }] of this.#byWorker(now)) {
      if (unbegun >= restartsBeforeAvoiding || pause > 0) avoided.add(worker);
    }
    return avoided;
  }

  /** Milliseconds until the first pause of a worker ends; undefined where there is none. */
  pauseLeft(now: number): number | undefined {
    const pauses = [...this.#byWorker(now).values()].flatMap(({ pause }) => (pause > 0 ? [pause] : []));
    return pauses.length === 0 ? undefined : Math.min(...pauses);
  }

  #byWorker(now: number): Map<string, { unbegun: number; pause: number }> {
    const counted = new Map<string, { unbegun: number; spoilt: number; pause: number }>();
    for (const { worker, at, isSpoilt } of this.#restarts) {
      if (at < now - avoidedFor) continue;
      const known = counted.get(worker) ?? { unbegun: 0, spoilt: 0, pause: 0 };
      counted.set(worker, known);
      if (isSpoilt) {
        known.spoilt += 1;
        // A failure that lies in the future was noted by a wrong clock.
        known.pause = at > now ? 0 : at + firstPause * longerEachTime ** (known.spoilt - 1) - now;
      } else known.unbegun += 1;
    }
    return counted;
  }
}

/** Of each of the runs that went back to the queue before. */
export async function readAttempts(
  unit: UnitOfWork,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, Attempts>> {
  const rows = await inChunks(uuids, (chunk) =>
    unit.queries
      .selectFrom('bundle_event')
      .select(['bundle_uuid', 'at', 'details'])
      .where('bundle_uuid', 'in', chunk)
      .where('kind', '=', 'restaged')
      .orderBy('id')
      .execute(),
  );
  const byRun = new Map<string, { count: number; restarts: Restart[] }>();
  for (const { bundle_uuid: uuid, at, details } of rows) {
    const known = byRun.get(uuid) ?? { count: 0, restarts: [] };
    byRun.set(uuid, known);
    known.count += 1;
    const event = restarted.safeParse(readableJson(details)).data;
    if (event?.worker === undefined) continue;
    known.restarts.push({ worker: event.worker, at, isSpoilt: event.failure_cause !== undefined });
  }
  return new Map([...byRun].map(([uuid, { count, restarts }]) => [uuid, new Attempts(count, restarts)]));
}
