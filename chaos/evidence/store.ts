/** Whether contents are whole, as the stores on disk tell; only while nobody uses them. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ContentsError, DirectoryStore, markAndSweep, verifyContents, type Entry } from '@sheaf/trees';
import type { CacheEvidence, StoreEvidence } from './evidence.ts';

/**
 * Reads and hashes everything in the server's store.
 * @param roots of all bundles
 * @param since when the server was started last, in milliseconds since the epoch: what was written before is of a process that was killed
 */
export async function lookOverStore(
  directory: string,
  roots: readonly Entry[],
  since: number,
): Promise<StoreEvidence> {
  const store = await DirectoryStore.open(directory);
  try {
    const missing: string[] = [];
    for (const root of roots) missing.push(...(await problemOf(store, root)));
    const damaged: string[] = [];
    for await (const { digest, problem } of store.check()) damaged.push(`${digest}: ${problem}`);
    return { missing, damaged, unfinished: unfinishedIn(directory, since) };
  } finally {
    await store.close();
  }
}

async function problemOf(store: DirectoryStore, root: Entry): Promise<string[]> {
  try {
    await verifyContents(store, root);
    return [];
  } catch (error) {
    if (!(error instanceof ContentsError)) throw error;
    return [`${root.kind === 'link' ? root.target : root.digest} (${error.message})`];
  }
}

/**
 * @param directory of a worker's cache
 * @param since when the worker was started last, in milliseconds since the epoch
 */
export async function lookOverCache(directory: string, since: number): Promise<CacheEvidence> {
  const index = indexIn(directory);
  const place = join(directory, 'store');
  const store = await DirectoryStore.open(place);
  try {
    const roots = Object.values(index.entries).map(({ entry }) => entry);
    const before = await digestsIn(store);
    await markAndSweep(store, roots, { olderThan: Number.POSITIVE_INFINITY });
    const needed = new Set(await digestsIn(store));
    return {
      entries: readdirSync(join(directory, 'entries')),
      listed: Object.keys(index.entries),
      unreferenced: before.filter((digest) => !needed.has(digest)),
      unfinished: unfinishedIn(place, since),
    };
  } finally {
    await store.close();
  }
}

/** A cache that was never used has none. */
function indexIn(directory: string): { entries: Record<string, { entry: Entry }> } {
  const path = join(directory, 'index.json');
  if (!existsSync(path)) return { entries: {} };
  return JSON.parse(readFileSync(path, 'utf8')) as { entries: Record<string, { entry: Entry }> };
}

async function digestsIn(store: DirectoryStore): Promise<string[]> {
  const digests: string[] = [];
  for await (const { digest } of store.list()) digests.push(digest);
  return digests;
}

function unfinishedIn(directory: string, since: number): string[] {
  return ['temp', 'partial'].flatMap((name) =>
    readdirSync(join(directory, name))
      .filter((file) => statSync(join(directory, name, file)).mtimeMs > since)
      .map((file) => join(name, file)),
  );
}
