/** How objects are named in texts (cli.md §5.3). */
import type { GroupPermission, Worksheet } from '@sheaf/client';
import { formatPermission, isPermission } from '@sheaf/domain';

export const none = '<none>';

/** `<name>(<uuid>)` */
export function bundleText(name: string, uuid: string): string {
  return `${name}(${uuid})`;
}

/** `alice(3)`; `<anonymous>` for nobody. */
export function userText(user: { id: string; user_name?: unknown } | null | undefined): string {
  if (user === null || user === undefined) return '<anonymous>';
  return `${typeof user.user_name === 'string' ? user.user_name : '<anonymous>'}(${user.id})`;
}

/** `<address>/worksheets/<uuid> (<name>)`; scripts match this. */
export function worksheetText(address: string, worksheet: { uuid: string; name: string }): string {
  return `${address}/worksheets/${worksheet.uuid} (${worksheet.name})`;
}

/** `public(0x9f8e7d):read`, separated by commas; `-` where there are none. */
export function permissionsText(permissions: readonly GroupPermission[] | undefined): string {
  if (permissions === undefined || permissions.length === 0) return '-';
  return permissions
    .map(
      ({ group_name: name, group, permission }) =>
        `${name}(${(group?.id ?? '').slice(0, 8)}):${permissionText(permission)}`,
    )
    .join(',');
}

export function permissionText(permission: unknown): string {
  return isPermission(permission) ? formatPermission(permission) : String(permission);
}

/** The five lines above a worksheet. */
export function worksheetHeader(address: string, worksheet: Worksheet): string[] {
  return [
    `### Worksheet: ${worksheetText(address, worksheet)}`,
    `### Title: ${worksheet.title ?? none}`,
    `### Tags: ${(worksheet.tags ?? []).join(' ')}`,
    `### Owner: ${userText(worksheet.owner)}${worksheet.is_anonymous ? ' [anonymous]' : ''}`,
    `### Permissions: ${permissionsText(worksheet.group_permissions)}${worksheet.frozen ? ' [frozen]' : ''}`,
  ];
}
