/** Reads foreign errors at the edge. */
import { ConnectionError } from '@sheaf/client';
import { StorageFullError } from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's code, such as `ENOENT`, where there is one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The filesystem has no room left, whoever noticed. */
export function isDiskFull(error: unknown): boolean {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    if (one instanceof StorageFullError || ['ENOSPC', 'EDQUOT'].includes(systemCode(one) ?? '')) return true;
  }
  return false;
}

/** The server is away, or in trouble of its own: the same request may succeed later. */
export function isServerAway(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof SheafError && error.status >= 500);
}

/** The server has understood and refused: asking again will not help. */
export function isRefusal(error: unknown): error is SheafError {
  return error instanceof SheafError && error.status < 500;
}
