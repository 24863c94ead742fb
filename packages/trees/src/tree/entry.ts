/**
 * What contents are made of. A bundle's contents are one root entry; a tree is a listing of named entries, stored as a blob in
 * its canonical encoding. Sizes are bytes; `size` and `files` of a tree are totals of all below it, so that quota and `du`
 * are one look-up.
 */

/** SHA-256 in lower-case hexadecimal. */
export type Digest = string;

export interface FileEntry {
  readonly kind: 'file';
  readonly digest: Digest;
  readonly size: number;
  readonly executable: boolean;
}

export interface TreeEntry {
  readonly kind: 'tree';
  readonly digest: Digest;
  /** Bytes of all files below. */
  readonly size: number;
  /** Number of files and links below. */
  readonly files: number;
}

/** A symbolic link, kept as it is: its target may dangle or lead outside, and is never followed out of the bundle. */
export interface LinkEntry {
  readonly kind: 'link';
  readonly target: string;
}

export type Entry = FileEntry | TreeEntry | LinkEntry;

export interface NamedEntry {
  readonly name: string;
  readonly entry: Entry;
}
