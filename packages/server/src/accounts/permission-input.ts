import { isPermission, parsePermission, type Permission } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { z } from 'zod';

/** A permission as clients write it: a level or a word (rest-api.md §2.4, §16.2). */
export const permissionInput = z.object({
  permission: z.number().nullish(),
  permission_spec: z.string().nullish(),
});

/** @throws SheafError `invalid-request` where neither is given, or it is no permission */
export function readPermissionInput(input: z.output<typeof permissionInput>): Permission {
  const { permission, permission_spec: spec } = input;
  if (permission !== null && permission !== undefined) {
    if (isPermission(permission)) return permission;
    throw new SheafError('invalid-request', `Invalid permission: ${permission}, expected 0, 1 or 2`);
  }
  if (spec === null || spec === undefined) {
    throw new SheafError('invalid-request', 'One of either permission or permission_spec must be provided.');
  }
  const parsed = parsePermission(spec);
  if (!parsed.ok) throw new SheafError('invalid-request', parsed.problem);
  return parsed.value;
}
