/** What goes wrong with contents, in words and statuses for users; one place for all of it. */
import {
  BlobBusyError,
  ContentsError,
  DigestMismatchError,
  FileChangedError,
  IncompleteContentsError,
  InvalidArchiveError,
  InvalidNameError,
  InvalidPackError,
  InvalidTreeError,
  LimitExceededError,
  NotADirectoryError,
  OffsetMismatchError,
  PathError,
  StorageFullError,
} from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import { RunGoneError, WorkerRefusedError } from '../workers/questions.ts';

/** Translates errors of the contents package; others are answered as they are. */
export function asRefusal(error: unknown): unknown {
  if (error instanceof WorkerRefusedError || error instanceof RunGoneError) {
    return new SheafError('not-found', error.message, { cause: error });
  }
  if (!(error instanceof ContentsError)) return error;
  const options = { cause: error };
  if (error instanceof PathError) return new SheafError('not-found', `${error.message}.`, options);
  if (error instanceof StorageFullError)
    return new SheafError('storage-full', 'The server has no disk space left.', options);
  if (error instanceof BlobBusyError || error instanceof OffsetMismatchError) {
    return new SheafError('conflict', `${error.message}.`, options);
  }
  return isUsersFault(error) ? new SheafError('invalid-request', `${error.message}.`, options) : error;
}

/** Whether the sender of contents is to blame, not the server (rest-api.md §20.5). */
export function isUsersFault(error: unknown): boolean {
  return (
    error instanceof InvalidArchiveError ||
    error instanceof LimitExceededError ||
    error instanceof InvalidNameError ||
    error instanceof InvalidPackError ||
    error instanceof InvalidTreeError ||
    error instanceof DigestMismatchError ||
    error instanceof IncompleteContentsError ||
    error instanceof NotADirectoryError ||
    error instanceof FileChangedError
  );
}
