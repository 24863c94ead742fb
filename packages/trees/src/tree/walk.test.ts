import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyDirectory, directory, file, link, pathsOf, storeContents } from '../fixtures/contents.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import type { Entry } from './entry.ts';
import { walkTree, type WalkOptions } from './walk.ts';

async function walked(store: MemoryStore, root: Entry, options: WalkOptions = {}): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path, entry } of walkTree(store, root, options)) {
    paths.push(entry.kind === 'tree' ? `${path}/` : path);
  }
  return paths;
}

describe('walkTree', () => {
  it('comes by everything once, a directory before what is in it', async () => {
    await fc.assert(
      fc.asyncProperty(anyDirectory, async (contents) => {
        const store = new MemoryStore();
        const root = await storeContents(store, contents);

        const [top, ...below] = await walked(store, root);

        expect(top).toBe('/');
        expect(below.toSorted()).toEqual(pathsOf(contents));
      }),
      { numRuns: 30 },
    );
  });

  it('leaves out what is skipped, with all below it', async () => {
    const store = new MemoryStore();
    const root = await storeContents(
      store,
      directory({ '.git': directory({ x: file('') }), a: directory({ '.git': link('x'), b: file('') }) }),
    );

    const paths = await walked(store, root, { skip: ({ name }) => name === '.git' });

    expect(paths).toEqual(['/', 'a/', 'a/b']);
  });

  it('stops when it is told to', async () => {
    const store = new MemoryStore();
    const root = await storeContents(store, directory({ a: file('') }));
    await expect(walked(store, root, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  });
});
