/** A store as the other side of a transfer: what a server answers from, and how one store fills another without a network. */
import { Readable } from 'node:stream';
import type { HashedBlob, HashedTree } from '../disk/hashed-tree.ts';
import { IncompleteContentsError } from '../errors.ts';
import { smallBlob, type BlobStore } from '../stores/blob-store.ts';
import type { Digest, Entry } from '../tree/entry.ts';
import { verifyContents } from '../tree/verify.ts';
import { walkTree } from '../tree/walk.ts';
import { encodePack, type PackedBlob } from './pack.ts';
import type { FetchPeer, NeededBlob, OfferedBlob, SendPeer } from './peer.ts';
import { receivePack } from './receive-pack.ts';

const readAtOnce = 64;

/** A pack of these blobs. Whether the asker may have them is for the caller to know. @throws BlobMissingError */
export function packFromStore(store: BlobStore, digests: readonly Digest[]): Readable {
  return Readable.from(encodePack(storedBlobs(store, digests)), {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
}

async function* storedBlobs(
  store: BlobStore,
  digests: readonly Digest[],
): AsyncGenerator<PackedBlob, undefined> {
  for (let at = 0; at < digests.length; at += readAtOnce) {
    const part = digests.slice(at, at + readAtOnce);
    const found = await store.bytesMany(part);
    for (const [index, digest] of part.entries()) {
      const bytes = found[index];
      if (bytes !== undefined) yield { digest, bytes };
    }
  }
  return undefined;
}

/**
 * Answers an offer: which blobs to send, and from where on. `mayKnow` says whether the sender may learn that a blob is here
 * (because it can read it, or has sent it): for all others the answer is as if they were not.
 */
export async function answerOffer(
  store: BlobStore,
  blobs: readonly OfferedBlob[],
  options: { readonly scope?: string; readonly mayKnow?: (digest: Digest) => boolean } = {},
): Promise<NeededBlob[]> {
  const mayKnow = options.mayKnow ?? (() => true);
  const askable = blobs.filter(([digest]) => mayKnow(digest));
  const sizes = await store.claim(askable.map(([digest]) => digest));
  const here = new Set(askable.flatMap(([digest, size], index) => (sizes[index] === size ? [digest] : [])));
  const needed: NeededBlob[] = [];
  for (const [digest, size] of blobs) {
    if (here.has(digest)) continue;
    const offset = size > smallBlob ? await store.partial(digest, size, options.scope).offset() : 0;
    needed.push([digest, offset]);
  }
  return needed;
}

export function fetchFromStore(store: BlobStore): FetchPeer {
  return {
    fetchPack: async (digests) => packFromStore(store, digests),
    fetchBlob: async (digest, offset) => store.read(digest, { offset }),
  };
}

/** Commits mean: all is there, its totals are right, and it is durable. Answers the root. */
export function sendToStore(store: BlobStore, scope = ''): SendPeer<Entry> {
  const commit = async (root: Entry): Promise<Entry> => {
    await verifyContents(store, root);
    await store.durable();
    return root;
  };
  return {
    offer: (blobs) => answerOffer(store, blobs, { scope }),
    sendPack: async (pack, { signal }) => {
      await receivePack(store, pack.open(), { signal });
    },
    sendBlob: async ([digest, size], offset, body) => {
      const { complete } = await store.partial(digest, size, scope).append(offset, body.open());
      if (!complete) throw new IncompleteContentsError(`${digest} was cut short`, [digest]);
    },
    commit,
    commitPack: async (root, pack, { signal }) => {
      await receivePack(store, pack.open(), { signal });
      return await commit(root);
    },
  };
}

/** Contents of a store as a sender needs them: to copy them from one server to another. */
export async function hashedFromStore(store: BlobStore, root: Entry): Promise<HashedTree> {
  const blobs = new Map<Digest, HashedBlob>();
  for await (const { entry } of walkTree(store, root)) {
    if (entry.kind === 'link' || blobs.has(entry.digest)) continue;
    const { digest } = entry;
    const size = entry.kind === 'file' ? entry.size : await store.size(digest);
    if (size === undefined) throw new IncompleteContentsError(`${digest} is not in the store`, [digest]);
    blobs.set(digest, {
      digest,
      size,
      open: (offset = 0) => store.read(digest, { offset }),
      readAll: () => store.bytes(digest),
    });
  }
  return { root, blobs };
}
