/*
 * What workers say in long texts, read once: which dependencies they have, and what they run commands with. A list of dependencies
 * comes with a check-in, so it is not read again before the next one.
 */
import { dependencyCacheKey } from '@sheaf/domain';
import { sql } from 'kysely';
import { givenRows } from '../database/given-rows.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText } from '../workers/worker-key.ts';
import { cachedDependenciesOf, runtimeOf } from '../workers/worker-record.ts';
import type { WorkerRow } from './plan-workers.ts';

interface Known {
  readonly checkinAt: number;
  readonly text: string;
  readonly dependencies: ReadonlySet<string>;
}

const nothing: ReadonlySet<string> = new Set();
const keyColumns = { user_id: 'text', worker_id: 'text' } as const;

export class WorkerCaches {
  #known = new Map<string, Known>();
  #images = new Map<string, boolean>();

  /** Reads what has come since, and forgets workers that are not among the given. */
  async refresh(unit: UnitOfWork, workers: readonly WorkerRow[]): Promise<void> {
    const before = this.#known;
    const news = workers.filter((worker) => before.get(keyOf(worker))?.checkinAt !== worker.checkin_at);
    const texts = new Map<string, string>();
    if (news.length > 0) {
      const wanted = news.map(({ user_id, worker_id }) => ({ user_id, worker_id }));
      const given = givenRows(unit.dialect, keyColumns, wanted);
      const { rows } = await sql<{ user_id: string; worker_id: string; dependencies: string }>`select
          worker.user_id, worker.worker_id, worker.dependencies
        from ${given} as given join worker on worker.user_id = given.user_id and worker.worker_id = given.worker_id`.execute(
        unit.queries,
      );
      for (const row of rows) texts.set(keyOf(row), row.dependencies);
    }
    this.#known = new Map();
    for (const worker of workers) {
      const key = keyOf(worker);
      const was = before.get(key);
      const text = texts.get(key) ?? was?.text ?? '[]';
      const dependencies = was?.text === text ? was.dependencies : keysIn(text);
      this.#known.set(key, { checkinAt: worker.checkin_at, text, dependencies });
    }
  }

  /** Keys of dependencies the worker has. */
  dependenciesOf(worker: WorkerRow): ReadonlySet<string> {
    return this.#known.get(keyOf(worker))?.dependencies ?? nothing;
  }

  /** Whether the worker runs commands in images. */
  hasImages(worker: WorkerRow): boolean {
    // Original workers say nothing about it and have images; what cannot be read promises nothing.
    if (worker.runtime === null) return true;
    const known = this.#images.get(worker.runtime);
    if (known !== undefined) return known;
    // Many workers say the same; one that says something else each time is no reason to keep it all.
    if (this.#images.size >= mostTexts) this.#images = new Map();
    const runtime = runtimeOf(worker);
    const images = runtime === null || runtime?.images === true;
    this.#images.set(worker.runtime, images);
    return images;
  }
}

const mostTexts = 1000;

function keysIn(dependencies: string): ReadonlySet<string> {
  return new Set(
    cachedDependenciesOf({ dependencies }).map(([uuid, path]) => dependencyCacheKey(uuid, path)),
  );
}

function keyOf(worker: { user_id: string; worker_id: string }): string {
  return workerKeyText({ userId: worker.user_id, workerId: worker.worker_id });
}
