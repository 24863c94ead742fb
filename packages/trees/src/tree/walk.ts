/** Goes through everything below an entry, in the order of an archive: a directory before what is in it, names by their bytes. */
import type { Entry } from './entry.ts';
import { asTreeSource, type Trees } from './tree-source.ts';

export interface WalkedEntry {
  /** Path from the root, without a slash in front; empty for the root itself. */
  readonly path: string;
  readonly name: string;
  readonly entry: Entry;
}

export interface WalkOptions {
  /** Leaves out an entry, and all below it. */
  readonly skip?: (walked: WalkedEntry) => boolean;
  readonly signal?: AbortSignal;
}

/** The root comes first. Holds one listing for each level, never the whole tree. */
export async function* walkTree(
  trees: Trees,
  root: Entry,
  options: WalkOptions = {},
): AsyncGenerator<WalkedEntry> {
  const source = asTreeSource(trees);
  const pending: Iterator<WalkedEntry>[] = [[{ path: '', name: '', entry: root }].values()];
  for (;;) {
    const next = pending.at(-1)?.next();
    if (next === undefined) return;
    if (next.done === true) {
      pending.pop();
      continue;
    }
    options.signal?.throwIfAborted();
    const walked = next.value;
    if (options.skip?.(walked) === true) continue;
    yield walked;
    if (walked.entry.kind === 'tree') {
      const entries = await source.tree(walked.entry.digest);
      pending.push(childrenOf(walked.path, entries));
    }
  }
}

function* childrenOf(
  path: string,
  entries: readonly { name: string; entry: Entry }[],
): Generator<WalkedEntry, undefined> {
  const prefix = path === '' ? '' : `${path}/`;
  for (const { name, entry } of entries) yield { path: prefix + name, name, entry };
  return undefined;
}
