import { describe, expect, it } from 'vitest';
import { BlobMissingError, InvalidTreeError } from '../errors.ts';
import { digestOf } from './digest.ts';
import { encodeTree } from './encode.ts';
import { asTreeSource, TreeCache } from './tree-source.ts';

function counted(blobs: readonly Buffer[]): { reads: string[]; bytes(digest: string): Promise<Buffer> } {
  const reads: string[] = [];
  return {
    reads,
    bytes: async (digest) => {
      reads.push(digest);
      const found = blobs.find((bytes) => digestOf(bytes) === digest);
      if (found === undefined) throw new BlobMissingError(digest);
      return found;
    },
  };
}

const trees = Array.from({ length: 4 }, (_, index) =>
  encodeTree([{ name: `name${index}`, entry: { kind: 'link', target: 'x' } }]),
);
const digests = trees.map(digestOf);
const [first = '', second = '', third = ''] = digests;

describe('TreeCache', () => {
  it('reads a tree once, also for those who ask at the same time', async () => {
    const source = counted(trees);
    const cache = new TreeCache(source);

    await Promise.all([cache.tree(first), cache.tree(first)]);
    await cache.tree(first);

    expect(source.reads).toEqual([first]);
  });

  it('drops the trees used longest ago, and stays within its bound', async () => {
    const source = counted(trees);
    const one = new TreeCache(source);
    await one.tree(first);
    const bound = 2.5 * one.heldBytes;
    const cache = new TreeCache(source, { maximumBytes: bound });
    await cache.tree(first);
    await cache.tree(second);
    await cache.tree(first);
    await cache.tree(third);
    source.reads.length = 0;

    await cache.tree(first);
    await cache.tree(second);

    expect(source.reads).toEqual([second]);
    expect(cache.heldBytes).toBeLessThanOrEqual(bound);
  });

  it('does not remember failures', async () => {
    const missing = counted([]);
    const cache = new TreeCache(missing);

    await expect(cache.tree(first)).rejects.toThrow(BlobMissingError);
    await expect(cache.tree(first)).rejects.toThrow(BlobMissingError);
    expect(missing.reads).toHaveLength(2);
  });
});

describe('asTreeSource', () => {
  it('names the blob that is no tree', async () => {
    const notATree = Buffer.from('hello');
    await expect(asTreeSource(counted([notATree])).tree(digestOf(notATree))).rejects.toThrow(
      InvalidTreeError,
    );
    await expect(asTreeSource(counted([notATree])).tree(digestOf(notATree))).rejects.toThrow(
      digestOf(notATree),
    );
  });
});
