export type { Digest, Entry, FileEntry, LinkEntry, NamedEntry, TreeEntry } from './tree/entry.ts';
export type { BlobStore, BlobWriter, PartialBlob } from './stores/blob-store.ts';
