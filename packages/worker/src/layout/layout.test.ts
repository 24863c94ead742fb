import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeLinks, removeLinks } from './links.ts';
import { parseKey } from './keys.ts';
import { planLayout } from './plan.ts';

const file = (key: string) => ({ key, source: `/cache/${key.replaceAll('/', '_')}`, names: undefined });
const tree = (key: string, ...names: string[]) => ({ key, source: '/cache/tree', names });

describe('planLayout', () => {
  it('mounts each key beside the run directory and links to it', () => {
    expect(planLayout('0xa', [file('data'), file('foo/bar'), file('foo/bar2')])).toEqual({
      mounts: [
        { source: '/cache/data', target: '/0xa_dependencies/data' },
        { source: '/cache/foo_bar', target: '/0xa_dependencies/foo/bar' },
        { source: '/cache/foo_bar2', target: '/0xa_dependencies/foo/bar2' },
      ],
      links: [
        { path: 'data', target: '/0xa_dependencies/data' },
        { path: 'foo/bar', target: '/0xa_dependencies/foo/bar' },
        { path: 'foo/bar2', target: '/0xa_dependencies/foo/bar2' },
      ],
    });
  });

  it('mounts the same contents under every key', () => {
    const { mounts } = planLayout('0xa', [tree('one'), tree('two')]);

    expect(mounts.map(({ source }) => source)).toEqual(['/cache/tree', '/cache/tree']);
  });

  it('reads `./a//b/` as `a/b`', () => {
    expect(planLayout('0xa', [file('./a//b/')]).links[0]?.path).toBe('a/b');
  });

  it('lets `.` fill the run directory, with one mount where nothing else is mounted', () => {
    expect(planLayout('0xa', [tree('.', 'x', 'y')])).toEqual({
      mounts: [{ source: '/cache/tree', target: '/0xa_dependencies' }],
      links: [
        { path: 'x', target: '/0xa_dependencies/x' },
        { path: 'y', target: '/0xa_dependencies/y' },
      ],
    });
  });

  it('mounts no entry of `.` by itself, which may be a link, also beside other keys', () => {
    expect(planLayout('0xa', [tree('.', 'x'), file('data')])).toEqual({
      mounts: [
        { source: '/cache/tree', target: '/0xa_dependencies_all' },
        { source: '/cache/data', target: '/0xa_dependencies/data' },
      ],
      links: [
        { path: 'x', target: '/0xa_dependencies_all/x' },
        { path: 'data', target: '/0xa_dependencies/data' },
      ],
    });
  });

  it('mounts absolute keys where they say, and links nothing on this machine', () => {
    expect(planLayout('0xa', [file('/foo/bar')])).toEqual({
      mounts: [{ source: '/cache/_foo_bar', target: '/foo/bar' }],
      links: [],
    });
  });

  it.each(['..', 'a/../../b', '/a/../b', '/', 'a\0b'])('refuses the key %j', (key) => {
    expect(parseKey(key)).toBeUndefined();
    expect(() => planLayout('0xa', [file(key)])).toThrow(/leads out/);
  });

  it.each([
    ['a', 'a/b', 'Key a is an ancestor of key a/b'],
    ['./a', 'a', 'Duplicate key: a'],
    ['/x', '/x/y', 'Key /x is an ancestor of key /x/y'],
  ])('refuses %s beside %s', (one, other, words) => {
    expect(() => planLayout('0xa', [file(one), file(other)])).toThrow(words);
  });

  it.each(['stdout', './stderr', 'stdout/x'])('refuses the key %s: output goes there', (key) => {
    expect(() => planLayout('0xa', [file(key)])).toThrow(/own output/);
  });

  it('leaves out the output of another run that `.` brings along', () => {
    const { mounts, links } = planLayout('0xa', [tree('.', 'result', 'stderr', 'stdout')]);

    expect(mounts).toHaveLength(1);
    expect(links.map(({ path }) => path)).toEqual(['result']);
  });

  it.each(['x', 'x/y'])('refuses the key %s where `.` brings along an x', (key) => {
    expect(() => planLayout('0xa', [tree('.', 'w', 'x'), file(key)])).toThrow(/has an entry x/);
    expect(() => planLayout('0xa', [file(key), tree('.', 'w', 'x')])).toThrow(/has an entry x/);
  });

  it.each(['/0xa', '/0xa/data', '/0xa_dependencies', '/proc/x', '/sys'])('refuses the key %s', (key) => {
    expect(() => planLayout('0xa', [file(key)])).toThrow(/needs for itself/);
  });

  it('refuses a file for `.`', () => {
    expect(() => planLayout('0xa', [file('.')])).toThrow(/is a file/);
  });
});

describe('links', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sheaf-links-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const links = [
    { path: 'data', target: '/0xa_dependencies/data' },
    { path: 'foo/deep/bar', target: '/0xa_dependencies/foo/deep/bar' },
  ];

  it('are made, and removed with the directories made for them', async () => {
    const made = await makeLinks(directory, links);
    expect(readlinkSync(join(directory, 'foo/deep/bar'))).toBe('/0xa_dependencies/foo/deep/bar');
    expect(made).toEqual(['foo', 'foo/deep']);

    await removeLinks(directory, links, made);

    expect(readdirSync(directory)).toEqual([]);
  });

  it('leave what the command wrote beside them', async () => {
    const made = await makeLinks(directory, links);
    writeFileSync(join(directory, 'foo/mine'), '');

    await removeLinks(directory, links, made);

    expect(readdirSync(join(directory, 'foo'))).toEqual(['mine']);
  });

  it('that the command has replaced by a file of its own are left', async () => {
    const made = await makeLinks(directory, links);
    rmSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data'), 'mine');

    await removeLinks(directory, links, made);

    expect(readdirSync(directory)).toEqual(['data']);
  });

  it('are never removed outside, when the command has put a link in the way', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'sheaf-outside-'));
    const made = await makeLinks(directory, links);
    rmSync(join(directory, 'foo'), { recursive: true });
    mkdirSync(join(outside, 'deep'));
    symlinkSync('/0xa_dependencies/foo/deep/bar', join(outside, 'deep/bar'));
    symlinkSync(outside, join(directory, 'foo'));

    await removeLinks(directory, links, made);

    expect(readdirSync(join(outside, 'deep'))).toEqual(['bar']);
    rmSync(outside, { recursive: true });
  });

  it('of an earlier attempt are replaced', async () => {
    symlinkSync('/0xold_dependencies/data', join(directory, 'data'));

    await makeLinks(directory, links);

    expect(readlinkSync(join(directory, 'data'))).toBe('/0xa_dependencies/data');
  });

  it('of an earlier attempt are made anew, with the directories made for them', async () => {
    await makeLinks(directory, links);

    const made = await makeLinks(directory, links);
    await removeLinks(directory, links, made);

    expect(readdirSync(directory)).toEqual([]);
  });

  it('of an earlier attempt leave what that attempt has written beside them', async () => {
    await makeLinks(directory, links);
    writeFileSync(join(directory, 'foo/mine'), '');

    await removeLinks(directory, links, await makeLinks(directory, links));

    expect(readdirSync(join(directory, 'foo'))).toEqual(['mine']);
  });

  it.each(['data', 'foo'])('are refused where %s is a file', async (name) => {
    writeFileSync(join(directory, name), '');

    await expect(makeLinks(directory, links)).rejects.toThrow(/has no place/);
  });
});
