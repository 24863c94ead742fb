/** The other side of a transfer, as the algorithms see it; what carries the bytes (HTTP, another store) is behind it. */
import type { Digest, Entry } from '../tree/entry.ts';

export interface TransferSignal {
  readonly signal: AbortSignal;
}

/** A stream whose length is known before it is opened; it can be opened again. */
export interface SendableBody {
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

/** Digest and size in bytes. */
export type OfferedBlob = readonly [digest: Digest, size: number];
/** Digest and the offset from which the receiver goes on. */
export type NeededBlob = readonly [digest: Digest, offset: number];

/** Receives contents. `Receipt` is whatever a commit answers. */
export interface SendPeer<Receipt> {
  /** Which of these are missing, and from where on. */
  offer(blobs: readonly OfferedBlob[], context: TransferSignal): Promise<readonly NeededBlob[]>;
  sendPack(pack: SendableBody, context: TransferSignal): Promise<void>;
  /** The bytes of a blob from `offset` on. */
  sendBlob(blob: OfferedBlob, offset: number, body: SendableBody, context: TransferSignal): Promise<void>;
  commit(root: Entry, context: TransferSignal): Promise<Receipt>;
  /** `sendPack` and `commit` in one round trip. */
  commitPack(root: Entry, pack: SendableBody, context: TransferSignal): Promise<Receipt>;
}

/** Hands out contents. */
export interface FetchPeer {
  /** A pack of exactly these blobs. */
  fetchPack(digests: readonly Digest[], context: TransferSignal): Promise<AsyncIterable<Uint8Array>>;
  /** The bytes of a blob from `offset` on. */
  fetchBlob(digest: Digest, offset: number, context: TransferSignal): Promise<AsyncIterable<Uint8Array>>;
}
