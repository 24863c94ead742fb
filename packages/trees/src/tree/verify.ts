/** Checks that contents are whole before anybody is told that they are there. */
import { IncompleteContentsError, InvalidTreeError, LimitExceededError } from '../errors.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { Breather } from './breathe.ts';
import { decodeLargeTree } from './decode.ts';
import type { Digest, Entry, TreeEntry } from './entry.ts';
import { targetProblem } from './names.ts';
import { totalsOf } from './totals.ts';

export interface VerifyOptions {
  /** Most files and links. A few small trees that contain each other many times can claim any number. */
  readonly files?: number;
  /** Most levels of directories. */
  readonly depth?: number;
}

const atOnce = 64;
/** As deep as a path of 4096 bytes can lead. */
const deepest = 2048;
const mostReported = 1000;

/**
 * Reads every tree below the root once, and asks for the size of every file.
 * @throws IncompleteContentsError listing what is missing, or where a total or size is not what an entry says;
 * InvalidTreeError, LimitExceededError
 */
export async function verifyContents(
  store: BlobStore,
  root: Entry,
  options: VerifyOptions = {},
): Promise<void> {
  const most = { files: options.files ?? 10_000_000, depth: options.depth ?? deepest };
  if (root.kind === 'link') {
    const problem = targetProblem(root.target);
    if (problem !== undefined) throw new InvalidTreeError(problem);
    return;
  }
  const files = new Map<Digest, number>();
  const trees = new Map<Digest, TreeEntry>();
  note(root, files, trees);
  if (root.kind === 'tree' && root.files > most.files) {
    throw new LimitExceededError('entries', `there are ${root.files} files, more than ${most.files}`);
  }
  let level = root.kind === 'tree' ? [root] : [];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > most.depth) throw new InvalidTreeError(`directories are nested more than ${most.depth} deep`);
    const next: TreeEntry[] = [];
    for (let at = 0; at < level.length; at += atOnce) {
      for (const child of await childrenOf(store, level.slice(at, at + atOnce))) {
        const known = child.kind === 'tree' && trees.has(child.digest);
        note(child, files, trees);
        if (child.kind === 'tree' && !known) next.push(child);
      }
    }
    level = next;
  }
  await checkFiles(store, files);
}

/** Every reference to the same digest must say the same: one of two that differ is a lie about sizes. */
function note(entry: Entry, files: Map<Digest, number>, trees: Map<Digest, TreeEntry>): void {
  if (entry.kind === 'file') {
    const size = files.get(entry.digest);
    if (size !== undefined && size !== entry.size) throw wrong(entry.digest);
    files.set(entry.digest, entry.size);
  } else if (entry.kind === 'tree') {
    const known = trees.get(entry.digest);
    if (known !== undefined && (known.size !== entry.size || known.files !== entry.files))
      throw wrong(entry.digest);
    trees.set(entry.digest, entry);
  }
}

function wrong(digest: Digest): IncompleteContentsError {
  return new IncompleteContentsError(`an entry says something wrong about the size of ${digest}`);
}

async function childrenOf(store: BlobStore, trees: readonly TreeEntry[]): Promise<Entry[]> {
  const digests = trees.map((tree) => tree.digest);
  const sizes = await store.claim(digests);
  const missing = digests.filter((_, index) => sizes[index] === undefined);
  if (missing.length > 0) throw lacking(missing);
  const children: Entry[] = [];
  const breather = new Breather();
  for (const [index, bytes] of (await store.bytesMany(digests)).entries()) {
    const entries = await decodeLargeTree(bytes);
    const totals = totalsOf(entries);
    const said = trees[index];
    if (said === undefined || said.size !== totals.size || said.files !== totals.files) {
      throw wrong(said?.digest ?? '');
    }
    for (const { entry } of entries) children.push(entry);
    if (breather.due) await breather.rest();
  }
  return children;
}

async function checkFiles(store: BlobStore, files: ReadonlyMap<Digest, number>): Promise<void> {
  const digests = [...files.keys()];
  const sizes = await store.claim(digests);
  const missing: Digest[] = [];
  for (const [index, digest] of digests.entries()) {
    const size = sizes[index];
    if (size === undefined) missing.push(digest);
    else if (size !== files.get(digest)) throw wrong(digest);
  }
  if (missing.length > 0) throw lacking(missing);
}

function lacking(missing: readonly Digest[]): IncompleteContentsError {
  return new IncompleteContentsError(`${missing.length} blobs are missing`, missing.slice(0, mostReported));
}
