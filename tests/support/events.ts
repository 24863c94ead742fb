/* The history of a run. */
import type { BundleEvent, Resource } from '@sheaf/wire';
import type { Installation } from './installation.ts';

export async function eventsOf(installation: Installation, uuid: string): Promise<BundleEvent[]> {
  const { data } = await installation.api<{ data: Resource<BundleEvent>[] }>(
    'GET',
    `/bundles/${uuid}/events`,
  );
  return data.map(({ attributes }) => attributes);
}

export async function kindsOf(installation: Installation, uuid: string): Promise<string[]> {
  return (await eventsOf(installation, uuid)).map(({ kind }) => kind);
}
