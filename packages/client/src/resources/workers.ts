/** Workers as their users see them (execution.md §6.6). */
import type { WorkerInfo } from '@sheaf/wire';
import type { RestClient } from '../rest-client.ts';

export async function workersInfo(client: RestClient): Promise<WorkerInfo[]> {
  return (await client.json<{ data: WorkerInfo[] }>('GET', '/workers/info')).data;
}
