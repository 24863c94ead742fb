/* Bundles as clients see them, masked where they may not be read (rest-api.md §10, bundles.md §1.1). */
import {
  allPermission,
  completeMetadata,
  displayMetadata,
  formatPermission,
  readPermission,
  recreatingArguments,
  stateDetails,
  withoutIdentifyingKeys,
  type KnownParent,
  type Permission,
} from '@sheaf/domain';
import type { BundleAttributes, DependencyResource, Resource } from '@sheaf/wire';
import { isoInstant } from '../http/instant.ts';
import { bundleState, bundleType, shownMetadata } from './row.ts';
import type { BundleRow } from './transition.ts';

export type BundleResource = Resource<Partial<BundleAttributes>>;

/** What a bundle looks like to one viewer. */
export interface BundleView {
  row: BundleRow;
  permission: Permission;
  dependencies: DependencyResource[];
  /** Why a run waits, where that is known better than it is stored. */
  waitsFor: string | undefined;
}

export function isReadable(view: BundleView): boolean {
  return view.permission >= readPermission;
}

/** The owner is hidden on anonymous bundles, except from those who have everything on it (bundles.md §10.3). */
export function visibleOwner({ row, permission }: BundleView): string | null {
  if (permission < readPermission) return null;
  return row.is_anonymous !== 0 && permission < allPermission ? null : row.owner_id;
}

export function bundleResource(view: BundleView, options: { withDisplayMetadata: boolean }): BundleResource {
  if (!isReadable(view)) return maskedBundle(view.row.uuid, options);
  const { row, permission, dependencies } = view;
  const type = bundleType(row);
  const state = bundleState(row);
  const complete = completeMetadata(type, shownMetadata(row, view.waitsFor));
  const isHidden = row.is_anonymous !== 0 && permission < allPermission;
  const metadata = isHidden ? withoutIdentifyingKeys(type, complete) : complete;
  const owner = visibleOwner(view);
  return {
    type: 'bundles',
    id: row.uuid,
    attributes: {
      uuid: row.uuid,
      bundle_type: row.bundle_type,
      command: row.command,
      state: row.state,
      state_details: stateDetails(type, state, complete, knownParents(dependencies)),
      frozen: row.frozen_at === null ? null : isoInstant(row.frozen_at),
      is_anonymous: row.is_anonymous !== 0,
      metadata,
      dependencies,
      args: recreatingArguments({ type, command: row.command, dependencies, metadata }),
      permission,
      permission_spec: formatPermission(permission),
      version: row.version,
      contents_digest: row.contents_digest,
    },
    relationships: { owner: { data: owner === null ? null : { type: 'users', id: owner } } },
    ...(options.withDisplayMetadata ? { meta: { ...displayMetadata(type, state) } } : {}),
  };
}

/** The parents of a bundle, for `stateDetails`. */
export function knownParents(dependencies: readonly DependencyResource[]): KnownParent[] {
  return dependencies.map(({ parent_uuid, parent_name, parent_state }) => ({
    uuid: parent_uuid,
    name: parent_name ?? null,
    state: parent_state ?? null,
  }));
}

/** What is shown of a bundle that exists and may not be read (rest-api.md §10.3). */
function maskedBundle(uuid: string, options: { withDisplayMetadata: boolean }): BundleResource {
  const nothing = { editable_metadata_keys: [], metadata_type: {}, metadata_descriptions: {} };
  return {
    type: 'bundles',
    id: uuid,
    attributes: {
      uuid,
      bundle_type: 'private',
      command: null,
      state: null,
      frozen: null,
      is_anonymous: null,
      args: null,
      metadata: { name: '<private>' },
      dependencies: [],
    },
    relationships: { owner: { data: null } },
    ...(options.withDisplayMetadata ? { meta: nothing } : {}),
  };
}
