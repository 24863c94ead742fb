/** What can go wrong with contents. Callers tell cases apart by class and translate them once, where a user sees them. */

export class ContentsError extends Error {
  override readonly name: string = 'ContentsError';

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
  }
}

/** There is no blob with this digest in the store. */
export class BlobMissingError extends ContentsError {
  override readonly name = 'BlobMissingError';
  readonly digest: string;

  constructor(digest: string, options: { cause?: unknown } = {}) {
    super(`no blob ${digest} in the store`, options);
    this.digest = digest;
  }
}

/** The bytes that arrived are not those that were promised. */
export class DigestMismatchError extends ContentsError {
  override readonly name = 'DigestMismatchError';
  readonly expected: string;
  readonly actual: string;

  constructor(expected: string, actual: string) {
    super(`expected the bytes of ${expected}, but got those of ${actual}`);
    this.expected = expected;
    this.actual = actual;
  }
}

/** Bytes were sent for another place than where the receiver goes on; `offset` says where that is. */
export class OffsetMismatchError extends ContentsError {
  override readonly name = 'OffsetMismatchError';
  readonly offset: number;

  constructor(offset: number, given: number) {
    super(`bytes were sent from offset ${given}, but ${offset} bytes are here`);
    this.offset = offset;
  }
}

/** Somebody else is sending the very same bytes right now. */
export class BlobBusyError extends ContentsError {
  override readonly name = 'BlobBusyError';
}

/** The medium is full. */
export class StorageFullError extends ContentsError {
  override readonly name = 'StorageFullError';
}

/** A tree whose encoding is not the canonical one. */
export class InvalidTreeError extends ContentsError {
  override readonly name = 'InvalidTreeError';
}

/** A name or a link's target that contents cannot hold; `entry` names it as well as it can be shown. */
export class InvalidNameError extends ContentsError {
  override readonly name = 'InvalidNameError';
  readonly entry: string;
  readonly reason: string;

  constructor(entry: string, reason: string) {
    super(`${entry}: ${reason}`);
    this.entry = entry;
    this.reason = reason;
  }
}

/** A tree that refers to blobs that are not there, or whose totals are wrong. */
export class IncompleteContentsError extends ContentsError {
  override readonly name = 'IncompleteContentsError';
  readonly missing: readonly string[];

  constructor(message: string, missing: readonly string[] = []) {
    super(message);
    this.missing = missing;
  }
}

/** A path that cannot be read; the subclasses say why. */
export class PathError extends ContentsError {
  override readonly name: string = 'PathError';
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

export class PathNotFoundError extends PathError {
  override readonly name = 'PathNotFoundError';

  constructor(path: string) {
    super(path, `${path} does not exist`);
  }
}

/** The path, or a link on the way, leads out of the contents. */
export class PathEscapesError extends PathError {
  override readonly name = 'PathEscapesError';

  constructor(path: string) {
    super(path, `${path} is not inside the bundle`);
  }
}

export class NotADirectoryError extends PathError {
  override readonly name = 'NotADirectoryError';

  constructor(path: string) {
    super(path, `${path} is not a directory`);
  }
}

export class NotAFileError extends PathError {
  override readonly name = 'NotAFileError';

  constructor(path: string, kind: string) {
    super(path, `${path} is a ${kind}, not a file`);
  }
}

/** Links that lead in a circle, or through too many others. */
export class TooManyLinksError extends PathError {
  override readonly name = 'TooManyLinksError';

  constructor(path: string) {
    super(path, `${path} leads through too many links`);
  }
}

/** An archive that is damaged, or that holds what contents cannot; `entry` is the member it failed at, where there is one. */
export class InvalidArchiveError extends ContentsError {
  override readonly name = 'InvalidArchiveError';
  readonly entry: string | undefined;

  constructor(reason: string, options: { entry?: string; cause?: unknown } = {}) {
    super(options.entry === undefined ? reason : `${options.entry}: ${reason}`, options);
    this.entry = options.entry;
  }
}

/** More entries, bytes or a higher compression ratio than allowed. */
export class LimitExceededError extends ContentsError {
  override readonly name = 'LimitExceededError';
  readonly limit: 'entries' | 'bytes' | 'ratio';

  constructor(limit: 'entries' | 'bytes' | 'ratio', message: string) {
    super(message);
    this.limit = limit;
  }
}

/** A file on disk was written to while it was read. */
export class FileChangedError extends ContentsError {
  override readonly name = 'FileChangedError';
  readonly path: string;

  constructor(path: string) {
    super(`${path} changed while it was read`);
    this.path = path;
  }
}

/** A stream of packed blobs that is damaged or cut short. */
export class InvalidPackError extends ContentsError {
  override readonly name = 'InvalidPackError';
}
