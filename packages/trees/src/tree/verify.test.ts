import { describe, expect, it } from 'vitest';
import { IncompleteContentsError, InvalidTreeError, LimitExceededError } from '../errors.ts';
import { directory, file, link, storeContents, storeDirectory } from '../fixtures/contents.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { encodeTree } from './encode.ts';
import type { Entry, NamedEntry, TreeEntry } from './entry.ts';
import { totalsOf } from './totals.ts';
import { verifyContents } from './verify.ts';

async function put(store: MemoryStore, entries: NamedEntry[]): Promise<TreeEntry> {
  return { kind: 'tree', digest: await store.put(encodeTree(entries)), ...totalsOf(entries) };
}

describe('verifyContents', () => {
  it('accepts whole contents of every kind', async () => {
    const store = new MemoryStore();
    await verifyContents(store, await storeContents(store, file('x')));
    await verifyContents(store, { kind: 'link', target: '../x' });
    const same = directory({ a: file('x'), l: link('y') });
    await verifyContents(
      store,
      await storeContents(store, directory({ one: same, two: same, empty: directory() })),
    );
  });

  it('lists what is missing', async () => {
    const store = new MemoryStore();
    const root = await storeDirectory(store, directory({ d: directory({ a: file('alpha') }) }));
    const lost = await store.put(Buffer.from('alpha'));
    await store.delete(lost);

    await expect(verifyContents(store, root)).rejects.toMatchObject({ missing: [lost] });
    await store.delete(root.digest);
    await expect(verifyContents(store, root)).rejects.toMatchObject({ missing: [root.digest] });
  });

  it('refuses totals that are wrong, at the root and below', async () => {
    const store = new MemoryStore();
    const root = await storeDirectory(store, directory({ a: file('alpha') }));
    const lies: Entry[] = [
      { ...root, size: 4 },
      { ...root, files: 2 },
    ];
    for (const lie of lies) {
      await expect(verifyContents(store, lie)).rejects.toThrow(IncompleteContentsError);
      const above = await put(store, [{ name: 'd', entry: lie }]);
      await expect(verifyContents(store, above)).rejects.toThrow(IncompleteContentsError);
      const both = await put(store, [
        { name: 'd', entry: root },
        { name: 'e', entry: lie },
      ]);
      await expect(verifyContents(store, both)).rejects.toThrow(IncompleteContentsError);
    }
  });

  it('refuses a file whose size is another', async () => {
    const store = new MemoryStore();
    const digest = await store.put(Buffer.from('alpha'));
    const root = await put(store, [
      { name: 'a', entry: { kind: 'file', digest, size: 1, executable: false } },
    ]);
    await expect(verifyContents(store, root)).rejects.toThrow(IncompleteContentsError);
  });

  it('refuses a blob that is no tree, and a link without target', async () => {
    const store = new MemoryStore();
    const digest = await store.put(Buffer.from('alpha'));
    await expect(verifyContents(store, { kind: 'tree', digest, size: 0, files: 0 })).rejects.toThrow(
      InvalidTreeError,
    );
    await expect(verifyContents(store, { kind: 'link', target: '' })).rejects.toThrow(InvalidTreeError);
  });

  it('refuses few trees that claim very many files, and very deep ones', async () => {
    const store = new MemoryStore();
    let root: TreeEntry = await put(store, [{ name: 'l', entry: { kind: 'link', target: 'x' } }]);
    for (let level = 0; level < 40; level += 1) {
      root = await put(store, [
        { name: 'a', entry: root },
        { name: 'b', entry: root },
      ]);
    }
    expect(root.files).toBe(2 ** 40);
    await expect(verifyContents(store, root)).rejects.toThrow(LimitExceededError);
    await expect(verifyContents(store, root, { files: 2 ** 41, depth: 30 })).rejects.toThrow('30 deep');
    await verifyContents(store, root, { files: 2 ** 41 });
  });
});
