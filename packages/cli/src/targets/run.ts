/** One bundle that is executed, as typed; a path inside it means nothing here. */
import type { RestClient } from '@sheaf/client';
import type { Context } from '../context.ts';
import { UsageError } from '../usage-error.ts';
import type { Place } from './place.ts';
import { findTarget } from './target.ts';

/** @throws UsageError for a path inside a bundle, SheafError where the spec names nothing */
export async function findRun(
  context: Context,
  spec: string,
  place: Place,
): Promise<{ client: RestClient; uuid: string }> {
  const { client, uuid, subpath } = await findTarget(context, spec, place);
  if (subpath !== '')
    throw new UsageError(`"${spec}" names a path inside a bundle.`, 'Name the bundle only.');
  return { client, uuid };
}
