/** Puts entries together to one tree without touching a byte of what they hold (execution.md §15.4). */
import { encodeTree, totalsOf, type BlobStore, type Entry, type NamedEntry } from '@sheaf/trees';

export interface Part {
  /** Components of the place; none for the root itself. */
  readonly place: readonly string[];
  readonly entry: Entry;
}

interface Branch {
  readonly children: Map<string, Branch | Entry>;
}

/**
 * The root of the composition: the part itself where the only one has no place, else a directory.
 * @throws RangeError when two parts want the same place, or one a place inside another
 */
export async function compose(store: BlobStore, parts: readonly Part[]): Promise<Entry> {
  const [only] = parts;
  if (only !== undefined && parts.length === 1 && only.place.length === 0) return only.entry;
  const root: Branch = { children: new Map() };
  for (const part of parts) plant(root, part);
  return await seal(store, root);
}

function plant(root: Branch, { place, entry }: Part): void {
  const name = place.at(-1);
  if (name === undefined) throw new RangeError('One of several parts has no place.');
  let here = root;
  for (const component of place.slice(0, -1)) {
    const next = here.children.get(component) ?? { children: new Map<string, Branch | Entry>() };
    if ('kind' in next) throw new RangeError(`${component} is both a part and a directory.`);
    here.children.set(component, next);
    here = next;
  }
  if (here.children.has(name)) throw new RangeError(`Two parts want the place ${place.join('/')}.`);
  here.children.set(name, entry);
}

async function seal(store: BlobStore, branch: Branch): Promise<Entry> {
  const entries: NamedEntry[] = [];
  for (const [name, child] of branch.children) {
    entries.push({ name, entry: 'kind' in child ? child : await seal(store, child) });
  }
  const digest = await store.put(encodeTree(entries));
  return { kind: 'tree', digest, ...totalsOf(entries) };
}
