/** What runs use and have used, second by second. */
import type { RunStatistics } from '@sheaf/wire';
import type { RestClient } from '../rest-client.ts';

/**
 * Every attempt of a run with its points, oldest first; see `statisticsColumns` for what they are.
 * @param options.after milliseconds since the epoch: only later points.
 * @throws SheafError `not-found`, `permission-denied`
 */
export async function fetchStatistics(
  client: RestClient,
  uuid: string,
  options: { readonly after?: number } = {},
): Promise<RunStatistics['attributes']> {
  const query = options.after === undefined ? {} : { after: options.after };
  const answer = await client.json<{ data: RunStatistics }>('GET', `/bundles/${uuid}/statistics`, { query });
  return answer.data.attributes;
}
