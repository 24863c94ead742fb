/** Stores the blobs of a pack, each under the digest its bytes really have. */
import { Buffer } from 'node:buffer';
import { DigestMismatchError } from '../errors.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { Intake } from '../stores/intake.ts';
import type { Digest } from '../tree/entry.ts';
import { decodePack } from './pack.ts';

export interface ReceivePackOptions {
  readonly signal?: AbortSignal;
  /** Longest blob accepted, in bytes. */
  readonly largest?: number;
  readonly onBlob?: (digest: Digest, size: number) => void;
}

/**
 * Answers digests and sizes of what came.
 * @throws InvalidPackError, DigestMismatchError
 */
export async function receivePack(
  store: BlobStore,
  source: AsyncIterable<Uint8Array>,
  options: ReceivePackOptions = {},
): Promise<Map<Digest, number>> {
  const intake = new Intake(store);
  const received = new Map<Digest, number>();
  const wrong: DigestMismatchError[] = [];
  const limit = options.largest === undefined ? {} : { largest: options.largest };
  try {
    for await (const { digest, bytes } of decodePack(source, limit)) {
      options.signal?.throwIfAborted();
      // A copy, because the bytes lie in a chunk of the stream that may be long.
      const waiting = intake.add(Buffer.from(bytes), (actual) => {
        if (actual !== digest) wrong.push(new DigestMismatchError(digest, actual));
      });
      if (waiting !== undefined) await waiting;
      received.set(digest, bytes.length);
      options.onBlob?.(digest, bytes.length);
      if (wrong[0] !== undefined) throw wrong[0];
    }
    await intake.finish();
  } catch (error) {
    await intake.abandon();
    throw error;
  }
  if (wrong[0] !== undefined) throw wrong[0];
  return received;
}
