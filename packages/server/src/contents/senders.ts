/*
 * Who has sent which blob. Knowing a digest gives nothing: the server tells a sender only about blobs the sender has sent before,
 * and lets nobody use others (design: contents).
 */
import type { Digest, OfferedBlob } from '@sheaf/trees';
import type { AnyQueries } from '../accounts/users.ts';
import { inChunks } from '../database/chunks.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';

const rowsAtOnce = 1_000;

/** Those of the digests that the user has sent. */
export async function sentBlobs(
  queries: AnyQueries,
  userId: string,
  digests: Iterable<Digest>,
): Promise<Set<Digest>> {
  const rows = await inChunks(digests, (chunk) =>
    queries
      .selectFrom('blob_sender')
      .select('digest')
      .where('user_id', '=', userId)
      .where('digest', 'in', chunk)
      .execute(),
  );
  return new Set(rows.map(({ digest }) => digest));
}

/** Those of the sizes (bytes) of which the user has sent a blob. */
export async function sentSizes(
  queries: AnyQueries,
  userId: string,
  sizes: readonly number[],
): Promise<number[]> {
  const rows = await inChunks(sizes, (chunk) =>
    queries
      .selectFrom('blob_sender')
      .select('size')
      .distinct()
      .where('user_id', '=', userId)
      .where('size', 'in', chunk)
      .execute(),
  );
  return rows.map(({ size }) => size);
}

export async function noteSent(
  unit: UnitOfWork,
  userId: string,
  blobs: readonly OfferedBlob[],
): Promise<void> {
  for (let at = 0; at < blobs.length; at += rowsAtOnce) {
    await unit.queries
      .insertInto('blob_sender')
      .values(blobs.slice(at, at + rowsAtOnce).map(([digest, size]) => ({ user_id: userId, digest, size })))
      .onConflict((conflict) => conflict.columns(['user_id', 'digest']).doNothing())
      .execute();
  }
}

/** Keeps a sweep from taking what an upload was told it need not send. */
export async function lease(
  unit: UnitOfWork,
  bundleUuid: string,
  digests: readonly Digest[],
  expiresAt: number,
): Promise<void> {
  for (let at = 0; at < digests.length; at += rowsAtOnce) {
    await unit.queries
      .insertInto('transfer_lease')
      .values(
        digests
          .slice(at, at + rowsAtOnce)
          .map((digest) => ({ bundle_uuid: bundleUuid, digest, expires_at: expiresAt })),
      )
      .onConflict((conflict) =>
        conflict.columns(['bundle_uuid', 'digest']).doUpdateSet({ expires_at: expiresAt }),
      )
      .execute();
  }
}

export async function endLeases(unit: UnitOfWork, bundleUuid: string): Promise<void> {
  await unit.queries.deleteFrom('transfer_lease').where('bundle_uuid', '=', bundleUuid).execute();
}
