/** That a sender commits only what the sender has sent: a digest somebody got to know must not open what it names. */
import { BlobMissingError, decodeTree, IncompleteContentsError, type Digest, type Entry } from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import type { Services } from '../services.ts';
import { sentBlobs } from './senders.ts';

const treesAtOnce = 64;

/**
 * Level by level: no tree is opened before it is known that the sender has sent it, so the answer for others is the same whether
 * or not they are here.
 * @throws SheafError `permission-denied` naming the first blob that was not sent, IncompleteContentsError
 */
export async function requireSent(services: Services, userId: string, root: Entry): Promise<void> {
  const seen = new Set<Digest>();
  let level = fresh([root], seen);
  while (level.length > 0) {
    const digests = level.map(({ digest }) => digest);
    const sent = await sentBlobs(services.database.queries, userId, digests);
    const unsent = digests.find((digest) => !sent.has(digest));
    if (unsent !== undefined) {
      throw new SheafError('permission-denied', `You have not sent the blob ${unsent}.`, {
        next: 'Offer it again.',
      });
    }
    const trees = level.filter(({ kind }) => kind === 'tree').map(({ digest }) => digest);
    level = fresh(await childrenOf(services, trees), seen);
  }
}

function fresh(entries: readonly Entry[], seen: Set<Digest>): Exclude<Entry, { kind: 'link' }>[] {
  const found: Exclude<Entry, { kind: 'link' }>[] = [];
  for (const entry of entries) {
    if (entry.kind === 'link' || seen.has(entry.digest)) continue;
    seen.add(entry.digest);
    found.push(entry);
  }
  return found;
}

async function childrenOf({ store }: Services, trees: readonly Digest[]): Promise<Entry[]> {
  const children: Entry[] = [];
  try {
    for (let at = 0; at < trees.length; at += treesAtOnce) {
      for (const bytes of await store.bytesMany(trees.slice(at, at + treesAtOnce))) {
        for (const { entry } of decodeTree(bytes)) children.push(entry);
      }
    }
  } catch (error) {
    if (!(error instanceof BlobMissingError)) throw error;
    throw new IncompleteContentsError(`the tree ${error.digest} is missing`, [error.digest]);
  }
  return children;
}
