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
  /**
   * Sizes of many blobs at once. Those that are here start their grace period anew (`modifiedAt` becomes now), so that a sweep
   * does not take what an upload was just told it need not send.
   */
  claim(digests: readonly Digest[]): Promise<(number | undefined)[]>;
  /** Streams bytes in. Hashes while it writes; what is already there is not written again. */
  writer(): Promise<BlobWriter>;
  /** Stores a small blob at once. */
  put(bytes: Uint8Array): Promise<Digest>;
  /** Stores many small blobs (each already in memory) at once, as fast as the medium allows; answers their digests. */
  putMany(blobs: readonly Uint8Array[]): Promise<Digest[]>;
  /**
   * Takes over a file on disk that the caller owns and that nobody writes to any more: by a hard link where that is possible,
   * else by copying. The file itself stays, and may become read-only.
   */
  adopt(path: string, file: { digest: Digest; size: number }): Promise<void>;
  /**
   * Bytes from `offset` on, at most `length` of them.
   * @throws BlobMissingError where there is no such blob.
   */
  read(digest: Digest, range?: { offset?: number; length?: number }): Readable;
  /** A whole small blob. @throws BlobMissingError */
  bytes(digest: Digest): Promise<Buffer>;
  /** Many whole small blobs, in the order asked for. @throws BlobMissingError */
  bytesMany(digests: readonly Digest[]): Promise<Buffer[]>;
  /** The file that holds the blob; only with the capability `localPaths`. Read-only (0444): never write to it. */
  localPath(digest: Digest): string;
  /** A second file with the same bytes that may be executed (0555), made on demand; only with `localPaths`. */
  executablePath(digest: Digest): Promise<string>;
  /**
   * Makes directories, symbolic links and hard links to blobs, in their order and as fast as the medium allows; those that fail
   * do not stop the others, and are answered. Only with `localPaths`.
   */
  place(placements: readonly Placement[]): Promise<FailedPlacement[]>;
  /** Returns once everything committed before is on stable storage. Call it before saying that contents are there. */
  durable(): Promise<void>;
  /**
   * A blob that arrives in pieces under its promised digest. `scope` keeps apart senders that must not continue each other's
   * bytes (a bundle's uuid, say).
   */
  partial(digest: Digest, size: number, scope?: string): PartialBlob;
  /** Puts a stream into a temporary file outside the blobs, for formats that need random access. */
  spool(source: AsyncIterable<Uint8Array>): Promise<SpooledFile>;
  list(): AsyncIterable<{ digest: Digest; size: number; modifiedAt: number }>;
  /** Removes a blob; with `olderThan`, only if it was not written or claimed since. Answers whether it is gone. */
  delete(digest: Digest, options?: { olderThan?: number }): Promise<boolean>;
  /** Removes what crashes and abandoned transfers left behind, older than the given time (ms since the epoch). */
  sweep(olderThan: number): Promise<{ removed: number }>;
  /** Re-hashes every blob and reports those whose bytes are not what their name says. */
  check(): AsyncIterable<{ digest: Digest; problem: string }>;
  /** Waits for what is being written, and lets go of threads and files. */
  close(): Promise<void>;
}

/** Something to be made at a path outside of the store. An executable file is linked only where `executablePath` made it before. */
export type Placement =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly digest: Digest;
      readonly executable: boolean;
    };

export interface FailedPlacement {
  readonly index: number;
  /** The system's, such as `EEXIST`. */
  readonly code: string | undefined;
  readonly message: string;
}

export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** Finishes and puts the blob in place. */
  commit(): Promise<{ digest: Digest; size: number }>;
  /** Drops what was written; safe to call twice, after a failure and after `commit`. */
  abort(): Promise<void>;
}

export interface PartialBlob {
  /**
   * How many bytes are here. Says nothing about the blob itself: 0 when none have come, and again once it is committed. So
   * whoever sends has to have the bytes, and cannot find out or claim what others stored; `claim` answers that.
   */
  offset(): Promise<number>;
  /**
   * Goes on at `offset`; at the promised size, verifies and commits. When the source fails, what came before it is kept.
   * @throws DigestMismatchError when the bytes are complete and their digest is another; the partial blob is dropped then.
   * @throws OffsetMismatchError when `offset` is not where the receiver is, or when more bytes come than promised.
   * @throws BlobBusyError when another `append` to it is running.
   */
  append(offset: number, source: AsyncIterable<Uint8Array>): Promise<{ complete: boolean; offset: number }>;
}

export interface SpooledFile {
  readonly path: string;
  readonly size: number;
  /** Removes it; safe to call twice. */
  remove(): Promise<void>;
}

/** Blobs up to this many bytes are worth handling in memory, many at once. */
export const smallBlob = 256 * 1024;
