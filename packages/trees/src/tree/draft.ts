/** A tree that is still being put together: files may not have their digest yet, and entries may come in any order. */
import type { Buffer } from 'node:buffer';
import { ContentsError } from '../errors.ts';
import { Breather } from './breathe.ts';
import { digestOf } from './digest.ts';
import { encodeLargeTree } from './encode-large.ts';
import type { Digest, Entry, NamedEntry, TreeEntry } from './entry.ts';
import { totalsOf } from './totals.ts';

export interface DraftFile {
  readonly kind: 'file';
  /** Known once the bytes are hashed. */
  digest: Digest | undefined;
  size: number;
  readonly executable: boolean;
}

export interface DraftLink {
  readonly kind: 'link';
  readonly target: string;
}

export interface DraftTree {
  readonly kind: 'tree';
  readonly children: Map<string, Draft>;
}

export type Draft = DraftFile | DraftLink | DraftTree;

export function emptyDraft(): DraftTree {
  return { kind: 'tree', children: new Map() };
}

/** Takes an encoded tree; may answer a promise where taking more has to wait. */
export type TakeTree = (digest: Digest, bytes: Buffer) => Promise<void> | undefined;

/**
 * Encodes a finished draft from the leaves up, handing each tree to `take`, and answers its root.
 * @throws ContentsError where a file has no digest yet
 */
export async function sealDraft(root: DraftTree, take: TakeTree): Promise<TreeEntry> {
  const breather = new Breather();
  interface Level {
    readonly children: Iterator<[string, Draft]>;
    readonly entries: NamedEntry[];
    readonly name: string;
  }
  const begin = (name: string, tree: DraftTree): Level => ({
    children: tree.children.entries(),
    entries: [],
    name,
  });
  const levels: Level[] = [begin('', root)];
  for (;;) {
    const level = levels.at(-1);
    if (level === undefined) throw new Error('a draft has no root');
    if (breather.due) await breather.rest();
    const next = level.children.next();
    if (next.done !== true) {
      const [name, draft] = next.value;
      if (draft.kind === 'tree') levels.push(begin(name, draft));
      else level.entries.push({ name, entry: sealLeaf(draft) });
      continue;
    }
    levels.pop();
    const bytes = await encodeLargeTree(level.entries);
    const entry: TreeEntry = { kind: 'tree', digest: digestOf(bytes), ...totalsOf(level.entries) };
    const taken = take(entry.digest, bytes);
    if (taken !== undefined) await taken;
    const above = levels.at(-1);
    if (above === undefined) return entry;
    above.entries.push({ name: level.name, entry });
  }
}

export function sealLeaf(draft: DraftFile | DraftLink): Entry {
  if (draft.kind === 'link') return { kind: 'link', target: draft.target };
  if (draft.digest === undefined) throw new ContentsError('a file was not hashed');
  return { kind: 'file', digest: draft.digest, size: draft.size, executable: draft.executable };
}
