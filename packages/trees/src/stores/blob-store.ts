import type { Readable } from 'node:stream';
import type { Digest } from '../tree/entry.ts';

/** Where blobs are kept: one small interface, one conformance suite, several stores. */
export interface BlobStore {
  readonly capabilities: {
    /** Blobs are plain files on a filesystem this process sees: `localPath` works, and they may be hard-linked. */
    readonly localPaths: boolean;
  };
  has(digest: Digest): Promise<boolean>;
  /** Size in bytes, or undefined where there is no such blob. */
  size(digest: Digest): Promise<number | undefined>;
  /** Streams bytes in. Hashes while it writes; what is already there is not written again. */
  writer(): Promise<BlobWriter>;
  /** Stores a small blob at once. */
  put(bytes: Uint8Array): Promise<Digest>;
  /** Stores many small blobs (each already in memory) at once, as fast as the medium allows; answers their digests. */
  putMany(blobs: readonly Uint8Array[]): Promise<Digest[]>;
  /**
   * Bytes from `offset` on, at most `length` of them.
   * @throws BlobMissingError where there is no such blob.
   */
  read(digest: Digest, range?: { offset?: number; length?: number }): Readable;
  /** A whole small blob. @throws BlobMissingError */
  bytes(digest: Digest): Promise<Buffer>;
  /** The file that holds the blob; only with the capability `localPaths`. */
  localPath(digest: Digest): string;
  /** Returns once everything committed before is on stable storage. Call it before saying that contents are there. */
  durable(): Promise<void>;
  /**
   * Keeps the first `offset` bytes of a blob that arrives in pieces under its promised digest. `offset` answers how many are
   * here; `append` goes on from there and, at the promised size, verifies and commits.
   */
  partial(digest: Digest, size: number): PartialBlob;
  list(): AsyncIterable<{ digest: Digest; size: number; modifiedAt: number }>;
  delete(digest: Digest): Promise<void>;
  /** Removes what crashes and abandoned transfers left behind, older than the given time (ms since the epoch). */
  sweep(olderThan: number): Promise<{ removed: number }>;
  /** Re-hashes every blob and reports those whose bytes are not what their name says. */
  check(): AsyncIterable<{ digest: Digest; problem: string }>;
}

export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** Finishes and puts the blob in place. */
  commit(): Promise<{ digest: Digest; size: number }>;
  /** Drops what was written; safe to call twice and after a failure. */
  abort(): Promise<void>;
}

export interface PartialBlob {
  offset(): Promise<number>;
  /**
   * @throws DigestMismatchError when the bytes are complete and their digest is another; the partial blob is dropped then.
   */
  append(offset: number, source: AsyncIterable<Uint8Array>): Promise<{ complete: boolean; offset: number }>;
}
