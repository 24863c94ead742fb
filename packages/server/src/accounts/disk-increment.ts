/* Original clients count what they send while they send it (rest-api.md §6.2, §20.7); the end of the upload makes it exact. */
import { SheafError } from '@sheaf/wire';
import { z } from 'zod';
import { requireBundle } from '../bundles/access.ts';
import { lockBundles } from '../bundles/locks.ts';
import { updateBundle } from '../bundles/transition.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { UserViewer } from '../http/viewer.ts';
import { charge, settleCharges } from './charges.ts';
import type { UserRow } from './users.ts';

export const incrementRequest = z.object({
  data: z
    .array(
      z.object({
        attributes: z.object({
          disk_used_increment: z.int(),
          /** Null for bytes that belong to no bundle. */
          bundle_uuid: z.string().nullish(),
        }),
      }),
    )
    .min(1),
});

type Increment = z.output<typeof incrementRequest>['data'][number]['attributes'];

/**
 * Charges the owner of the bundle and counts its size; answers the one who asked. A bundle that is not being uploaded any more
 * has its exact size already: a late increment changes nothing.
 * @throws SheafError `invalid-request`, `not-found`, `permission-denied`
 */
export async function countUpload(
  unit: UnitOfWork,
  viewer: UserViewer,
  { disk_used_increment: bytes, bundle_uuid: uuid }: Increment,
  now: number,
): Promise<UserRow> {
  if (bytes <= 0) throw new SheafError('invalid-request', 'Only positive disk increments are allowed.');
  if (uuid === null || uuid === undefined) charge(unit, { userId: viewer.id, seconds: 0, bytes });
  else await countBundle(unit, viewer, uuid, bytes, now);
  await settleCharges(unit);
  return await unit.queries
    .selectFrom('user')
    .selectAll()
    .where('id', '=', viewer.id)
    .executeTakeFirstOrThrow();
}

async function countBundle(
  unit: UnitOfWork,
  viewer: UserViewer,
  uuid: string,
  bytes: number,
  now: number,
): Promise<void> {
  await lockBundles(unit, [uuid]);
  const bundle = await requireBundle(unit.queries, viewer, uuid, 'all');
  if (bundle.state !== 'uploading') return;
  await updateBundle(unit, uuid, { metadata: { data_size: bundle.data_size + bytes } }, now);
  charge(unit, { userId: bundle.owner_id ?? viewer.id, seconds: 0, bytes });
}
