/* Make bundles: the server composes them out of their dependencies; no byte is copied (execution.md §15.4). */
import { isOpen } from '../bundles/open-bundles.ts';
import { joinPaths, storageProblem } from '@sheaf/domain';
import { PathError, resolvePath, sizeOf as contentsSize, type Entry, type TreeSource } from '@sheaf/trees';
import { recomputeDiskUsed, readQuota } from '../accounts/quota.ts';
import { findBundles } from '../bundles/access.ts';
import { lockBundles } from '../bundles/locks.ts';
import { transition, type BundleRow } from '../bundles/transition.ts';
import type { LinkedEntries } from '../contents/linked-entries.ts';
import { linkedPath, linkOf } from '../contents/linked.ts';
import { rootEntryColumns, storedEntry } from '../contents/stored.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Services } from '../services.ts';
import { compose, type Part } from './compose.ts';
import { history, sentence } from './history.ts';

/** Why a bundle could not be made, in words for its owner. */
class MakeError extends Error {
  override readonly name = 'MakeError';
}

/** Makes of one server that run at the same time. */
const atOnce = 2;

export class Maker {
  readonly #services: Services;
  readonly #trees: TreeSource;
  readonly #linked: LinkedEntries;
  readonly #waiting = new Set<string>();
  readonly #active = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(services: Services, trees: TreeSource, linked: LinkedEntries) {
    this.#services = services;
    this.#trees = trees;
    this.#linked = linked;
  }

  /** Makes that a stopped server left unfinished begin anew. */
  async restageInterrupted(): Promise<void> {
    const { unitOfWork, clock } = this.#services;
    await unitOfWork(async (unit) => {
      const rows = await unit.queries
        .selectFrom('bundle')
        .select('uuid')
        .where(isOpen())
        .where('state', '=', 'making')
        .execute();
      for (const { uuid } of rows) {
        await transition(unit, {
          uuid,
          type: 'make',
          expected: ['making'],
          next: 'staged',
          now: clock.now(),
        });
      }
    });
  }

  /** Takes these on, unless it has them already. */
  add(uuids: readonly string[]): void {
    for (const uuid of uuids) {
      if (!this.#active.has(uuid)) this.#waiting.add(uuid);
    }
    this.#next();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    await Promise.all(this.#active.values());
  }

  #next(): void {
    while (!this.#stopped && this.#active.size < atOnce) {
      const [uuid] = this.#waiting;
      if (uuid === undefined) return;
      this.#waiting.delete(uuid);
      const making = this.#make(uuid)
        .catch((error: unknown) =>
          this.#services.log.error({ err: error, bundle: uuid }, 'a bundle could not be made'),
        )
        .finally(() => {
          this.#active.delete(uuid);
          this.#next();
        });
      this.#active.set(uuid, making);
    }
  }

  async #make(uuid: string): Promise<void> {
    const { unitOfWork, clock, store } = this.#services;
    const begun = await unitOfWork((unit) =>
      transition(unit, {
        uuid,
        type: 'make',
        expected: ['staged'],
        next: 'making',
        changes: { nextEpoch: true },
        now: clock.now(),
      }),
    );
    if (begun === undefined) return;
    try {
      const parts = await this.#parts(begun);
      const entry = await compose(store, parts);
      await store.durable();
      const parents = parts.map(({ parent }) => parent);
      await unitOfWork((unit) => finish(unit, begun, entry, parents, clock.now()));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (!(error instanceof MakeError))
        this.#services.log.error({ err: error, bundle: uuid }, 'making failed');
      await unitOfWork((unit) =>
        transition(unit, {
          uuid,
          type: 'make',
          expected: ['making'],
          next: 'failed',
          epoch: begun.epoch,
          changes: {
            metadata: {
              failure_message: text,
              error_traceback: error instanceof Error ? (error.stack ?? text) : text,
            },
          },
          now: clock.now(),
          event: history('failed', sentence(text)),
        }),
      );
    }
  }

  async #parts(child: BundleRow): Promise<(Part & { parent: string })[]> {
    const { queries } = this.#services.database;
    const dependencies = await queries
      .selectFrom('dependency')
      .selectAll()
      .where('child_uuid', '=', child.uuid)
      .orderBy('id')
      .execute();
    const parents = new Map(
      (
        await findBundles(
          queries,
          dependencies.map(({ parent_uuid }) => parent_uuid),
        )
      ).map((row) => [row.uuid, row]),
    );
    const parts: (Part & { parent: string })[] = [];
    for (const dependency of dependencies) {
      const parent = parents.get(dependency.parent_uuid);
      const shown = joinPaths(dependency.parent_uuid, dependency.parent_path);
      if (parent === undefined)
        throw new MakeError(`Invalid dependency ${shown}: the bundle does not exist any more.`);
      const place = dependency.child_path
        .split('/')
        .filter((component) => component !== '' && component !== '.');
      if (place.includes('..')) throw new MakeError(`Invalid key for dependency: ${dependency.child_path}`);
      const entry = await this.#source(parent, dependency.parent_path, shown);
      parts.push({ place, entry, parent: parent.uuid });
    }
    return parts;
  }

  async #source(parent: BundleRow, path: string, shown: string): Promise<Entry> {
    const link = linkOf(parent);
    const root = link === undefined ? storedEntry(parent) : undefined;
    if (root === undefined && link === undefined) {
      throw new MakeError(`Invalid dependency ${shown}: the bundle is ${parent.state} and has no contents.`);
    }
    try {
      const entry =
        root === undefined
          ? await this.#linkedSource(parent.uuid, link ?? '', path)
          : (await resolvePath(this.#trees, root, path)).entry;
      if (entry.kind === 'link') throw new MakeError(`Invalid dependency ${shown}: it is a link.`);
      return entry;
    } catch (error) {
      if (!(error instanceof PathError)) throw error;
      throw new MakeError(`Invalid dependency ${shown}: ${error.message}`, { cause: error });
    }
  }

  async #linkedSource(uuid: string, link: string, path: string): Promise<Entry> {
    const place = await linkedPath(this.#services.settings.linkRoots, link, path);
    return await this.#linked.bringIn(uuid, place);
  }
}

/** @throws MakeError when a parent is gone meanwhile, or the owner has no room */
async function finish(
  unit: UnitOfWork,
  child: BundleRow,
  entry: Entry,
  parents: readonly string[],
  now: number,
): Promise<void> {
  // As long as the parents are there, so is what they hold; afterwards this bundle holds it too. Nobody deletes them in between.
  await lockBundles(unit, parents);
  const present = await findBundles(unit.queries, parents);
  if (present.length < new Set(parents).size)
    throw new MakeError('Invalid dependency: a bundle was deleted meanwhile.');
  const size = contentsSize(entry);
  const owner = child.owner_id;
  const used = owner === null ? 0 : await recomputeDiskUsed(unit, owner);
  const quota = owner === null ? undefined : await readQuota(unit.queries, owner);
  if (quota !== undefined) {
    const problem = storageProblem(size, {
      diskQuota: quota.diskQuota,
      diskUsedWithout: used - child.data_size,
    });
    if (problem !== undefined) throw new MakeError(problem);
  }
  const made = await transition(unit, {
    uuid: child.uuid,
    type: 'make',
    expected: ['making'],
    next: 'ready',
    epoch: child.epoch,
    changes: { metadata: { data_size: size }, rootEntry: rootEntryColumns(entry) },
    now,
    event: history('made', 'Put together out of its dependencies.'),
  });
  if (made !== undefined && owner !== null) await recomputeDiskUsed(unit, owner);
}
