/** A bundle as it came over the wire, as the rules of genpaths look at it. */
import type { Bundle } from '@sheaf/client';
import { isPermission, type BundleRecord, type GenpathValue, type Permission } from '@sheaf/domain';

export function recordOf(bundle: Bundle): BundleRecord {
  const { owner, host_worksheets: worksheets, group_permissions: grants } = bundle;
  return {
    uuid: bundle.uuid,
    type: bundle.bundle_type as BundleRecord['type'],
    command: bundle.command,
    state: bundle.state,
    metadata: bundle.metadata,
    dependencies: bundle.dependencies,
    ownerName: owner === null || owner === undefined ? null : (owner.user_name ?? null),
    permission: permissionOf(bundle.permission),
    attributes: attributesOf(bundle),
    ...(worksheets === undefined ? {} : { hostWorksheets: worksheets }),
    ...(grants === undefined
      ? {}
      : {
          groupPermissions: grants.map((grant) => ({
            groupName: grant.group_name,
            groupUuid: grant.group?.id ?? '',
            permission: permissionOf(grant.permission) ?? 0,
          })),
        }),
  };
}

function permissionOf(value: unknown): Permission | null {
  return isPermission(value) ? value : null;
}

const relationships = ['owner', 'children', 'host_worksheets', 'group_permissions', 'meta', 'metadata'];

function attributesOf(bundle: Bundle): Record<string, GenpathValue> {
  const entries = Object.entries(bundle).filter(([name]) => !relationships.includes(name));
  return Object.fromEntries(entries) as Record<string, GenpathValue>;
}
