/** Turns what the filesystem says into what it means for a store. */
import { StorageFullError } from '../../errors.ts';

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function translateStorageError(error: unknown): Error {
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StorageFullError('there is no space left for contents', { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}
