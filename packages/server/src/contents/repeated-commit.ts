/* A commit whose answer was lost comes again, perhaps when the bundle is final already: it is answered as it was. */
import { isFinal } from '@sheaf/domain';
import type { Entry } from '@sheaf/trees';
import { isDeepStrictEqual } from 'node:util';
import type { AnyQueries } from '../accounts/users.ts';
import { requireBundle } from '../bundles/access.ts';
import { bundleState } from '../bundles/row.ts';
import { storedEntry } from './stored.ts';
import type { Uploader } from './upload-rules.ts';

/**
 * The size of the contents of a final bundle, in bytes, where they are the very ones that are sent once more.
 * @throws SheafError `not-found`, `permission-denied`
 */
export async function committedBefore(
  queries: AnyQueries,
  { viewer }: Uploader,
  uuid: string,
  root: Entry,
): Promise<{ data_size: number } | undefined> {
  const bundle = await requireBundle(queries, viewer, uuid, 'all');
  if (!isFinal(bundleState(bundle)) || !isDeepStrictEqual(storedEntry(bundle), root)) return undefined;
  return { data_size: bundle.data_size };
}
