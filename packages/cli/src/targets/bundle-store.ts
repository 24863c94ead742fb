/** Named places for contents (rest-api.md §17.1). */
import type { RestClient } from '@sheaf/client';
import { UsageError } from '../usage-error.ts';

/** The uuid of a store. @throws UsageError where there is none of that name. */
export async function findStore(client: RestClient, name: string): Promise<string> {
  const answer = await client.json<{ data: { id: string; attributes: { uuid?: string; name?: string } }[] }>(
    'GET',
    '/bundle_stores',
    { query: { include: 'uuid,storage_type,url', name } },
  );
  const found = answer.data.find((one) => (one.attributes.name ?? name) === name);
  if (found === undefined) throw new UsageError(`There is no bundle store "${name}".`);
  return found.attributes.uuid ?? found.id;
}
