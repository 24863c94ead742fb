/*
 * What dependencies stand for: the entry at a path of the parent's contents. Looking one up may read trees, which must not be
 * done inside a unit of work; contents never change under their digest, so what was found once stays true.
 */
import { PathError, resolvePath, type Entry, type TreeSource } from '@sheaf/trees';
import type { BundleRow } from '../bundles/transition.ts';
import { storedEntry } from './stored.ts';

const mostKept = 20_000;

type Parent = Pick<BundleRow, 'root_entry' | 'contents_digest'>;

export class DependencyEntries {
  /** Whether what waited already when the server started has been looked up. */
  caughtUp = false;
  readonly #trees: TreeSource;
  readonly #kept = new Map<string, Entry | undefined>();
  readonly #through = new Map<string, Entry>();

  constructor(trees: TreeSource) {
    this.#trees = trees;
  }

  /** Without reading anything: undefined also where it was never looked up. */
  known(parent: Parent, path: string): Entry | undefined {
    if (path === '') return storedEntry(parent);
    return this.#kept.get(keyOf(parent, path));
  }

  /** Looks it up, so that it is known from then on. Undefined: there is nothing under the path. */
  async find(parent: Parent, path: string): Promise<Entry | undefined> {
    const root = storedEntry(parent);
    if (root === undefined || path === '') return root;
    const key = keyOf(parent, path);
    if (this.#kept.has(key)) return this.#kept.get(key);
    const entry = await this.#resolve(root, path);
    keep(this.#kept, key, entry);
    return entry;
  }

  /** Found in a dependency of the parent instead: no part of what can be fetched as the parent's contents. */
  noteThrough(parentUuid: string, path: string, entry: Entry): void {
    keep(this.#through, `${parentUuid}\n${path}`, entry);
  }

  /** Like `known`, also for what was found in a dependency of the parent. */
  knownInput(parent: Parent & { readonly uuid: string }, path: string): Entry | undefined {
    return this.known(parent, path) ?? this.#through.get(`${parent.uuid}\n${path}`);
  }

  async #resolve(root: Entry, path: string): Promise<Entry | undefined> {
    try {
      return (await resolvePath(this.#trees, root, path)).entry;
    } catch (error) {
      if (error instanceof PathError) return undefined;
      throw error;
    }
  }
}

function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value);
  if (map.size <= mostKept) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}

function keyOf(parent: Parent, path: string): string {
  return `${parent.contents_digest ?? parent.root_entry ?? ''}\n${path}`;
}
