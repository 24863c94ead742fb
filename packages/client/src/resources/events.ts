/** What has happened to a bundle, for people (new in Sheaf). */
import type { BundleEvent } from '@sheaf/wire';
import type { RestClient } from '../rest-client.ts';

/** Oldest first. @throws SheafError `not-found`, `permission-denied` */
export async function fetchEvents(client: RestClient, uuid: string): Promise<BundleEvent[]> {
  const answer = await client.json<{ data: { attributes: BundleEvent }[] }>('GET', `/bundles/${uuid}/events`);
  return answer.data.map(({ attributes }) => attributes);
}
