import { describe, expect, it } from 'vitest';
import {
  NotADirectoryError,
  PathError,
  PathEscapesError,
  PathNotFoundError,
  TooManyLinksError,
} from '../errors.ts';
import { directory, file, link, storeContents } from '../fixtures/contents.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { listTree, resolvePath } from './resolve.ts';

const contents = directory({
  a: file('alpha'),
  d: directory({
    b: file('beta'),
    up: link('../a'),
    self: link('.'),
    out: link('../../x'),
    deep: directory({ c: file('gamma'), back: link('../../d/b/..') }),
  }),
  toD: link('d'),
  toDeep: link('./toD/deep'),
  absolute: link('/etc'),
  dangling: link('nowhere'),
  loop: link('pool'),
  pool: link('loop'),
  toFile: link('a'),
});

async function resolve(path: string): Promise<{ path: string; kind: string }> {
  const store = new MemoryStore();
  const root = await storeContents(store, contents);
  const found = await resolvePath(store, root, path);
  return { path: found.path, kind: found.entry.kind };
}

describe('resolvePath', () => {
  it.each([
    ['', '', 'tree'],
    ['/', '', 'tree'],
    ['a', 'a', 'file'],
    ['./d//b', 'd/b', 'file'],
    ['d/', 'd', 'tree'],
    ['d/../a', 'a', 'file'],
    ['toD', 'toD', 'link'],
    ['toD/b', 'd/b', 'file'],
    ['toDeep/c', 'd/deep/c', 'file'],
    ['d/self/self/b', 'd/b', 'file'],
    ['d/up', 'd/up', 'link'],
    ['absolute', 'absolute', 'link'],
    ['toD/deep/', 'd/deep', 'tree'],
  ])('finds %j at %j, a %s', async (path, where, kind) => {
    expect(await resolve(path)).toEqual({ path: where, kind });
  });

  it.each([
    ['nothing', PathNotFoundError],
    ['d/nothing', PathNotFoundError],
    ['dangling/x', PathNotFoundError],
    ['a/x', NotADirectoryError],
    ['toFile/x', NotADirectoryError],
    ['d/deep/back/x', NotADirectoryError],
    ['..', PathEscapesError],
    ['d/../../x', PathEscapesError],
    ['absolute/passwd', PathEscapesError],
    ['d/out/y', PathEscapesError],
    ['loop/x', TooManyLinksError],
  ])('refuses %j', async (path, error) => {
    await expect(resolve(path)).rejects.toThrow(error);
    await expect(resolve(path)).rejects.toBeInstanceOf(PathError);
  });

  it('goes nowhere from a root that is a file or a link', async () => {
    const store = new MemoryStore();
    const root = await storeContents(store, file('x'));

    expect((await resolvePath(store, root, '')).entry).toEqual(root);
    await expect(resolvePath(store, root, 'x')).rejects.toThrow(NotADirectoryError);
    await expect(resolvePath(store, { kind: 'link', target: 'x' }, 'y')).rejects.toThrow(PathEscapesError);
  });
});

describe('listTree', () => {
  it('lists the entries of a tree, and nothing else', async () => {
    const store = new MemoryStore();
    const root = await storeContents(store, directory({ b: file(''), a: directory() }));

    expect((await listTree(store, root)).map(({ name }) => name)).toEqual(['a', 'b']);
    await expect(listTree(store, { kind: 'link', target: 'x' }, 'l')).rejects.toThrow('l is not a directory');
  });
});
