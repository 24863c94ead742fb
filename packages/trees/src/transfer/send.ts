/** Sends contents: offers what there is, and sends only what the other side lacks. */
import type { Buffer } from 'node:buffer';
import type { HashedBlob, HashedTree } from '../disk/hashed-tree.ts';
import { ContentsError } from '../errors.ts';
import { smallBlob } from '../stores/blob-store.ts';
import { Breather } from '../tree/breathe.ts';
import type { Digest } from '../tree/entry.ts';
import { inParallel } from './in-parallel.ts';
import { encodePack, packLength, type PackedBlob } from './pack.ts';
import type { OfferedBlob, SendableBody, SendPeer } from './peer.ts';

export interface TransferProgress {
  /** Bytes that are on the other side: sent, or there already. */
  readonly bytes: number;
  readonly totalBytes: number;
  readonly blobs: number;
  readonly totalBlobs: number;
}

export interface SendOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TransferProgress) => void;
  /** Requests at once. */
  readonly atOnce?: number;
}

/** Contents up to this many bytes go as one pack, without asking first. */
export const oneRoundTrip = 1024 * 1024;
const offeredAtOnce = 10_000;
const packBytes = 4 * 1024 * 1024;
const packBlobs = 2000;

/**
 * Sends and commits. Fails at the first failure of the peer: called again, it goes on where it was, because the other side
 * answers what it has by now. How often to try is the caller's to decide.
 * @throws FileChangedError where a file is no longer what was hashed; errors of the peer as they are
 */
export async function sendContents<Receipt>(
  hashed: HashedTree,
  peer: SendPeer<Receipt>,
  options: SendOptions = {},
): Promise<Receipt> {
  const blobs = [...hashed.blobs.values()];
  const count = new Count(blobs, options.onProgress);
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  if (blobs.length > 0 && count.totalBytes <= oneRoundTrip && blobs.length <= packBlobs) {
    return await peer.commitPack(hashed.root, packOf(blobs, count), { signal });
  }
  const limit = { atOnce: options.atOnce ?? 4, signal: options.signal };
  await inParallel(missing(hashed, blobs, peer, signal, count), limit, async (task, stop) => {
    if (task.kind === 'pack') {
      await peer.sendPack(packOf(task.blobs, count), { signal: stop });
    } else {
      const { blob, offset } = task;
      count.there(0, offset);
      await peer.sendBlob([blob.digest, blob.size], offset, restOf(blob, offset, count), { signal: stop });
      count.there(1, 0);
    }
  });
  return await peer.commit(hashed.root, { signal });
}

type Task =
  | { readonly kind: 'pack'; readonly blobs: readonly HashedBlob[] }
  | { readonly kind: 'blob'; readonly blob: HashedBlob; readonly offset: number };

/** Offers part by part, so that sending begins before the last one is answered. */
async function* missing(
  hashed: HashedTree,
  blobs: readonly HashedBlob[],
  peer: SendPeer<unknown>,
  signal: AbortSignal,
  count: Count,
): AsyncGenerator<Task, undefined> {
  let pack: HashedBlob[] = [];
  let bytes = 0;
  for (let at = 0; at < blobs.length; at += offeredAtOnce) {
    const part = blobs.slice(at, at + offeredAtOnce);
    const needed = new Map(
      await peer.offer(
        part.map((blob): OfferedBlob => [blob.digest, blob.size]),
        { signal },
      ),
    );
    for (const blob of part) if (!needed.has(blob.digest)) count.there(1, blob.size);
    for (const [digest, offset] of needed) {
      const blob = known(hashed, digest, offset);
      if (blob.size > smallBlob) {
        yield { kind: 'blob', blob, offset };
        continue;
      }
      pack.push(blob);
      bytes += blob.size;
      if (bytes < packBytes && pack.length < packBlobs) continue;
      yield { kind: 'pack', blobs: pack };
      pack = [];
      bytes = 0;
    }
  }
  if (pack.length > 0) yield { kind: 'pack', blobs: pack };
  return undefined;
}

function known(hashed: HashedTree, digest: Digest, offset: number): HashedBlob {
  const blob = hashed.blobs.get(digest);
  if (blob === undefined) throw new ContentsError(`the receiver asked for ${digest}, which was not offered`);
  if (offset > blob.size) throw new ContentsError(`the receiver has more of ${digest} than there is`);
  return blob;
}

function packOf(blobs: readonly HashedBlob[], count: Count): SendableBody {
  return {
    length: packLength(blobs.map((blob) => blob.size)),
    open: () => encodePack(readBlobs(blobs, count)),
  };
}

async function* readBlobs(blobs: readonly HashedBlob[], count: Count): AsyncGenerator<PackedBlob, undefined> {
  const breather = new Breather();
  for (const blob of blobs) {
    if (breather.due) await breather.rest();
    const bytes = await blob.readAll();
    if (bytes.length !== blob.size)
      throw new ContentsError(`${blob.digest} has another size than it was hashed with`);
    yield { digest: blob.digest, bytes };
    count.there(1, blob.size);
  }
  return undefined;
}

function restOf(blob: HashedBlob, offset: number, count: Count): SendableBody {
  return {
    length: blob.size - offset,
    open: async function* () {
      for await (const chunk of blob.open(offset) as AsyncIterable<Buffer>) {
        yield chunk;
        count.there(0, chunk.length);
      }
    },
  };
}

class Count {
  readonly totalBytes: number;
  readonly #totalBlobs: number;
  readonly #tell: SendOptions['onProgress'];
  #bytes = 0;
  #blobs = 0;

  constructor(blobs: readonly HashedBlob[], tell: SendOptions['onProgress']) {
    this.totalBytes = blobs.reduce((sum, blob) => sum + blob.size, 0);
    this.#totalBlobs = blobs.length;
    this.#tell = tell;
  }

  there(blobs: number, bytes: number): void {
    this.#blobs += blobs;
    this.#bytes += bytes;
    this.#tell?.({
      bytes: this.#bytes,
      totalBytes: this.totalBytes,
      blobs: this.#blobs,
      totalBlobs: this.#totalBlobs,
    });
  }
}
