/** Shows bundles with all that belongs to them: stores, relations, previews of their contents. */
import { currentUser, fetchEvents, type Bundle, type RestClient } from '@sheaf/client';
import { SheafError, type BundleEvent } from '@sheaf/wire';
import type { Context } from '../context.ts';
import { showTarget } from '../render/contents.ts';
import { historyLines } from '../render/events.ts';
import { infoLines, relationLines } from '../render/info.ts';
import { none, permissionsText, permissionText } from '../render/names.ts';

export interface ShowOptions {
  readonly raw: boolean;
  readonly verbose: boolean;
}

/** One block a bundle, an empty line between them. */
export async function showInfo(
  context: Context,
  client: RestClient,
  bundles: readonly Bundle[],
  options: ShowOptions,
): Promise<void> {
  const [hidden, locations, events] = await Promise.all([
    isRoot(client),
    Promise.all(bundles.map((bundle) => locationsOf(client, bundle))),
    Promise.all(options.raw ? [] : bundles.map((bundle) => eventsOf(client, bundle))),
  ]);
  for (const [at, bundle] of bundles.entries()) {
    if (at > 0) context.print('');
    const shown = { ...options, hidden, locations: locations[at] ?? [] };
    for (const line of infoLines(bundle, shown)) context.print(line);
    for (const line of historyLines(events[at] ?? [], { all: options.verbose })) context.print(line);
    if (options.verbose) await showMore(context, client, bundle);
  }
}

/** Anonymous readers are not root. */
async function isRoot(client: RestClient): Promise<boolean> {
  try {
    return (await currentUser(client)).is_root_user === true;
  } catch (error) {
    if (error instanceof SheafError && error.status === 401) return false;
    throw error;
  }
}

async function locationsOf(client: RestClient, bundle: Bundle): Promise<Record<string, unknown>[]> {
  try {
    const answer = await client.json<{ data: { attributes: Record<string, unknown> }[] }>(
      'GET',
      `/bundles/${bundle.uuid}/locations/`,
    );
    return answer.data.map(({ attributes }) => attributes);
  } catch (error) {
    // Where a bundle lies is for those who may read it; the rest of what is known is still worth showing.
    if (error instanceof SheafError && error.status < 500) return [];
    throw error;
  }
}

/** Of runs only: the history of others is told by their state. Servers of another kind know of none. */
async function eventsOf(client: RestClient, bundle: Bundle): Promise<BundleEvent[]> {
  if (bundle.bundle_type !== 'run') return [];
  try {
    return await fetchEvents(client, bundle.uuid);
  } catch (error) {
    if (error instanceof SheafError && error.status < 500) return [];
    throw error;
  }
}

async function showMore(context: Context, client: RestClient, bundle: Bundle): Promise<void> {
  const permissions = permissionsText(bundle.group_permissions);
  const permission = permissionText(bundle.permission ?? none);
  for (const line of relationLines(bundle, permissions, permission)) context.print(line);
  const entries = await preview(context, client, bundle.uuid, '', 'contents');
  for (const name of entries.filter((entry) => entry === 'stdout' || entry === 'stderr')) {
    await preview(context, client, bundle.uuid, name, name);
  }
}

/** @returns the names of a directory's entries. */
async function preview(
  context: Context,
  client: RestClient,
  uuid: string,
  subpath: string,
  title: string,
): Promise<string[]> {
  context.print(`=== ${title} preview ===`);
  try {
    const info = await showTarget(context, client, { uuid, subpath }, { head: 10 });
    return (info.contents ?? []).map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof SheafError) || error.code !== 'not-found') throw error;
    context.print(none);
    return [];
  }
}
