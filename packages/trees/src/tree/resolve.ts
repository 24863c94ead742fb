/** Finds `bundle/path`, one component at a time, never leaving the contents (bundles.md §13.2). */
import { NotADirectoryError, PathEscapesError, PathNotFoundError, TooManyLinksError } from '../errors.ts';
import type { Entry, NamedEntry, TreeEntry } from './entry.ts';
import { compareNames } from './names.ts';
import { asTreeSource, type Trees } from './tree-source.ts';

/** As many links as Linux follows in one path. */
const mostLinks = 40;

export interface ResolvedPath {
  readonly entry: Entry;
  /** The path on which the entry really is, links on the way resolved; empty for the root. */
  readonly path: string;
}

/** Entries of a tree, sorted by the bytes of their names. @throws NotADirectoryError on other kinds. */
export async function listTree(trees: Trees, entry: Entry, path = ''): Promise<readonly NamedEntry[]> {
  if (entry.kind !== 'tree') throw new NotADirectoryError(shown(path));
  return await asTreeSource(trees).tree(entry.digest);
}

/**
 * Resolves a path below `root`. A link in the last place is returned as the link it is; links on the way are followed as
 * long as they stay inside. `.`, empty components and a slash at the end count nothing; `..` is taken off the text first.
 * @throws PathNotFoundError, PathEscapesError, NotADirectoryError, TooManyLinksError
 */
export async function resolvePath(trees: Trees, root: Entry, path: string): Promise<ResolvedPath> {
  const source = asTreeSource(trees);
  const todo = normalise(path).toReversed();
  // The trees from the root down to where we are, each with the name that led to it.
  const way: { name: string; entry: TreeEntry }[] = [];
  let links = 0;
  let here: Entry = root;
  let name = '';
  for (;;) {
    const next = todo.pop();
    if (next === undefined) return { entry: here, path: joined(way, name) };
    if (here.kind === 'link') throw new PathEscapesError(shown(path));
    if (here.kind !== 'tree') throw new NotADirectoryError(shown(joined(way, name)));
    if (next === '..') {
      // Only from the target of a link: `here` is then the tree that holds the link, or one above.
      const above = way.pop();
      if (above === undefined) throw new PathEscapesError(shown(path));
      here = above.entry;
      name = above.name;
      continue;
    }
    const found = findEntry(await source.tree(here.digest), next);
    if (found === undefined) throw new PathNotFoundError(shown(path));
    if (found.kind === 'link' && todo.length > 0) {
      links += 1;
      if (links > mostLinks) throw new TooManyLinksError(shown(path));
      if (found.target.startsWith('/')) throw new PathEscapesError(shown(path));
      todo.push(...components(found.target).toReversed());
      continue;
    }
    way.push({ name, entry: here });
    here = found;
    name = next;
  }
}

/** Finds a name among sorted entries. */
export function findEntry(entries: readonly NamedEntry[], name: string): Entry | undefined {
  let low = 0;
  let high = entries.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const candidate = entries[middle];
    if (candidate === undefined) return undefined;
    const order = compareNames(candidate.name, name);
    if (order === 0) return candidate.entry;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}

function components(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function normalise(path: string): string[] {
  const kept: string[] = [];
  for (const part of components(path)) {
    if (part !== '..') kept.push(part);
    else if (kept.pop() === undefined) throw new PathEscapesError(shown(path));
  }
  return kept;
}

function joined(way: readonly { name: string }[], name: string): string {
  return [...way.map((step) => step.name), name].filter((part) => part !== '').join('/');
}

function shown(path: string): string {
  return path === '' ? 'the root' : path;
}
