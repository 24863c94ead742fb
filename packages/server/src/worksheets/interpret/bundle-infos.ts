/* Bundles as blocks show them (worksheets.md §8.1). */
import type { BundleRecord, Metadata } from '@sheaf/domain';
import { usersByIds } from '../../accounts/users.ts';
import { findBundles } from '../../bundles/access.ts';
import { bundleResource, isReadable, visibleOwner, type BundleView } from '../../bundles/resource.ts';
import { bundleType } from '../../bundles/row.ts';
import { viewBundles, type Showing } from '../../bundles/view.ts';
import type { Viewer } from '../../http/viewer.ts';
import type { BundleInfo } from './blocks.ts';
import type { ShownBundle } from './display.ts';

/** The item a bundle is shown for; both null where a search found it. */
export interface Occurrence {
  uuid: string;
  id: number | null;
  sortKey: number | null;
}

/** Answers how each occurrence of the bundles is shown to the viewer. */
export async function loadShownBundles(
  showing: Showing,
  viewer: Viewer,
  uuids: Iterable<string>,
): Promise<(occurrence: Occurrence) => ShownBundle> {
  const { queries } = showing.database;
  const views = await viewBundles(showing, viewer, await findBundles(queries, uuids));
  const byUuid = new Map(views.map((view) => [view.row.uuid, view]));
  const ownerIds = views.map(visibleOwner).filter((id) => id !== null);
  const owners = await usersByIds(queries, ownerIds);
  return ({ uuid, id, sortKey }) => {
    const place = { uuid, id, sort_key: sortKey };
    const view = byUuid.get(uuid);
    if (view === undefined) return { info: { ...place, metadata: { name: '<invalid>' } }, record: undefined };
    const owner = owners.get(visibleOwner(view) ?? '');
    return { info: { ...infoOf(view), ...place }, record: recordOf(view, owner?.name ?? null) };
  };
}

function infoOf(view: BundleView): BundleInfo & Record<string, unknown> {
  const { attributes } = bundleResource(view, { withDisplayMetadata: false });
  const { frozen, dependencies, permission_spec: _spec, ...rest } = attributes;
  return {
    ...rest,
    uuid: view.row.uuid,
    id: null,
    sort_key: null,
    owner_id: visibleOwner(view),
    frozen: frozen === null || frozen === undefined ? null : frozen.replace('+00:00', ''),
    dependencies: (dependencies ?? []).map((dependency) => ({ ...dependency, location: null })),
    location: null,
  };
}

function recordOf(view: BundleView, ownerName: string | null): BundleRecord {
  const { attributes } = bundleResource(view, { withDisplayMetadata: false });
  const metadata: Metadata = attributes.metadata ?? {};
  return {
    uuid: view.row.uuid,
    type: isReadable(view) ? bundleType(view.row) : 'private',
    command: attributes.command ?? null,
    state: attributes.state ?? null,
    metadata,
    dependencies: attributes.dependencies ?? [],
    ownerName,
    permission: isReadable(view) ? view.permission : null,
    attributes: {
      state_details: attributes.state_details ?? null,
      frozen: attributes.frozen ?? null,
      is_anonymous: attributes.is_anonymous ?? null,
    },
  };
}
