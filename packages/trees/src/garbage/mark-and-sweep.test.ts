import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { anyDirectory, directory, file, storeContents, storeDirectory } from '../fixtures/contents.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { DirectoryStore } from '../stores/directory/directory-store.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { digestOf } from '../tree/digest.ts';
import type { Entry } from '../tree/entry.ts';
import { verifyContents } from '../tree/verify.ts';
import { markAndSweep } from './mark-and-sweep.ts';

const future = Date.now() + 1_000_000;

async function digestsIn(store: MemoryStore): Promise<string[]> {
  const digests: string[] = [];
  for await (const { digest } of store.list()) digests.push(digest);
  return digests.toSorted();
}

describe('markAndSweep', () => {
  it('leaves exactly what the roots lead to', async () => {
    await fc.assert(
      fc.asyncProperty(anyDirectory, anyDirectory, async (kept, dropped) => {
        const store = new MemoryStore();
        const only = new MemoryStore();
        const root = await storeDirectory(store, kept);
        await storeDirectory(only, kept);
        await storeDirectory(store, dropped);

        const swept = await markAndSweep(store, [root, { kind: 'link', target: 'x' }], { olderThan: future });

        expect(await digestsIn(store)).toEqual(await digestsIn(only));
        expect(swept.missing).toEqual([]);
        await verifyContents(store, root);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves what is leased, and counts what is gone', async () => {
    const store = new MemoryStore();
    const [leased, lost] = await store.putMany([Buffer.from('leased'), Buffer.from('lost')]);

    const swept = await markAndSweep(store, [], { olderThan: future, keep: new Set([leased ?? '']) });

    expect(swept).toEqual({ marked: 0, removed: 1, freed: 4, missing: [] });
    expect([await store.has(leased ?? ''), await store.has(lost ?? '')]).toEqual([true, false]);
  });

  it('leaves what is young, also what was claimed while it swept', async () => {
    const store = await DirectoryStore.open(join(await temporaryDirectory(), 'store'));
    onTestFinished(() => store.close());
    const digests = await store.putMany([Buffer.from('old'), Buffer.from('young'), Buffer.from('claimed')]);
    const [old = '', young = '', claimed = ''] = digests;
    for (const digest of [old, claimed]) utimesSync(store.localPath(digest), 1000, 1000);
    const listed = store.list.bind(store);
    store.list = async function* () {
      for await (const blob of listed()) {
        if (blob.digest === claimed) await store.claim([claimed]);
        yield blob;
      }
    };

    const swept = await markAndSweep(store, [], { olderThan: Date.now() - 60_000 });

    expect(swept.removed).toBe(1);
    expect([await store.has(old), await store.has(young), await store.has(claimed)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('reports what is missing, and keeps the rest of it', async () => {
    const store = new MemoryStore();
    const inner = directory({ a: file('alpha') });
    const root = await storeDirectory(store, directory({ d: inner, b: file('beta') }));
    const lost = await storeDirectory(store, inner);
    await store.delete(lost.digest);

    const swept = await markAndSweep(store, [root], { olderThan: future });

    expect(swept.missing).toEqual([lost.digest]);
    expect(await store.has(digestOf(Buffer.from('beta')))).toBe(true);
  });

  it('removes nothing when the roots cannot be read', async () => {
    const store = new MemoryStore();
    await storeContents(store, file('x'));
    const root = await storeContents(store, file('y'));
    const roots = async function* (): AsyncGenerator<Entry> {
      yield root;
      throw new Error('the database is gone');
    };
    await expect(markAndSweep(store, roots(), { olderThan: future })).rejects.toThrow('the database is gone');
    expect(await digestsIn(store)).toHaveLength(2);
  });
});
