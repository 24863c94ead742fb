export type { Digest, Entry, FileEntry, LinkEntry, NamedEntry, TreeEntry } from './tree/entry.ts';
export { digestOf, isDigest } from './tree/digest.ts';
export { encodeTree } from './tree/encode.ts';
export { decodeTree } from './tree/decode.ts';
export { compareNames, nameProblem, targetProblem } from './tree/names.ts';
export { filesOf, sizeOf, totalsOf } from './tree/totals.ts';
export { TreeCache, type BlobBytes, type Trees, type TreeSource } from './tree/tree-source.ts';
export { Breather } from './tree/breathe.ts';
export { findEntry, listTree, resolvePath, type ResolvedPath } from './tree/resolve.ts';
export { walkTree, type WalkedEntry, type WalkOptions } from './tree/walk.ts';
export { readFile, type ByteRange } from './tree/read-file.ts';
export { verifyContents, type VerifyOptions } from './tree/verify.ts';

export { smallBlob } from './stores/blob-store.ts';
export type { BlobStore, BlobWriter, PartialBlob, SpooledFile } from './stores/blob-store.ts';
export { MemoryStore, type MemoryStoreOptions } from './stores/memory-store.ts';
export { DirectoryStore } from './stores/directory/directory-store.ts';

export {
  archiveKindOf,
  archiveKinds,
  isDirectoryArchive,
  withoutArchiveEnding,
  type ArchiveKind,
} from './archive/kinds.ts';
export { defaultLimits, type ArchiveLimits } from './archive/limits.ts';
export { importArchive, importFile, type ImportOptions } from './archive/import-archive.ts';
export { exportedTime, exportTar, exportTarGz, type ExportOptions } from './archive/export-tar.ts';
export { exportZip } from './archive/zip/export-zip.ts';
export { padding, writeHeader, type TarRecord } from './archive/tar/write-header.ts';
export { leftOutOfDownloads } from './archive/exclude-download.ts';
export { gunzip } from './archive/gunzip.ts';
export { readTar, type TarAttributes, type TarMember } from './archive/tar/read-tar.ts';

export { excludeNames, excludePatterns, type ExcludePath } from './disk/exclude.ts';
export { hashFile, type HashFileOptions } from './disk/hash-file.ts';
export { hashDirectory, type HashDirectoryOptions } from './disk/hash-directory.ts';
export { HashedBytes, HashedOnDisk, type HashedBlob, type HashedTree } from './disk/hashed-tree.ts';
export type { ScanOptions } from './disk/scan.ts';
export { importDirectory, type ImportDirectoryOptions } from './disk/import-directory.ts';
export { materialise, type MaterialiseOptions } from './disk/materialise.ts';

export { decodePack, encodePack, largestPacked, packLength, type PackedBlob } from './transfer/pack.ts';
export type {
  FetchPeer,
  NeededBlob,
  OfferedBlob,
  SendableBody,
  SendPeer,
  TransferSignal,
} from './transfer/peer.ts';
export { receivePack, type ReceivePackOptions } from './transfer/receive-pack.ts';
export { oneRoundTrip, sendContents, type SendOptions, type TransferProgress } from './transfer/send.ts';
export { fetchContents, type FetchOptions, type FetchProgress } from './transfer/fetch.ts';
export {
  answerOffer,
  fetchFromStore,
  hashedFromStore,
  packFromStore,
  sendToStore,
} from './transfer/store-peer.ts';

export { removeDamaged } from './garbage/remove-damaged.ts';
export { markAndSweep, type SweepOptions, type SweepResult } from './garbage/mark-and-sweep.ts';

export {
  BlobBusyError,
  BlobMissingError,
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
  NotAFileError,
  OffsetMismatchError,
  PathError,
  PathEscapesError,
  PathNotFoundError,
  StorageFullError,
  TooManyLinksError,
} from './errors.ts';
