/** Streams a directory out as a tar (rest-api.md §19.6). Equal contents give equal bytes: no times, no owners. */
import { Buffer } from 'node:buffer';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { assertNever } from '@sheaf/domain';
import { IncompleteContentsError } from '../errors.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { joined } from './joined.ts';
import { blockSize } from './tar/header.ts';
import { padding, writeHeader, type TarRecord } from './tar/write-header.ts';
import { walkStored, type StoredEntry, type StoredWalkOptions } from './stored-walk.ts';

/** 1980-01-01 UTC: the first day a zip file can say, and late enough for tar not to warn. Seconds since the epoch. */
export const exportedTime = 315_532_800;

export type ExportOptions = StoredWalkOptions;

/**
 * A tar with the members `./`, `./a`, `./d/`, …, directories before what they hold. A failure destroys the stream, so that
 * it never looks complete. `skip` leaves entries out; see `leftOutOfDownloads`.
 */
export function exportTar(store: BlobStore, root: TreeEntry, options: ExportOptions = {}): Readable {
  return Readable.from(joined(tarChunks(store, root, options)), {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
}

/** The same as one gzip member without name or time. `level` as in zlib. */
export function exportTarGz(
  store: BlobStore,
  root: TreeEntry,
  options: ExportOptions & { readonly level?: number } = {},
): Readable {
  const gzip = createGzip({ level: options.level ?? 6, chunkSize: 128 * 1024 });
  // `pipeline` destroys the gzip stream with the error of the tar stream; whoever reads it sees that.
  return pipeline(exportTar(store, root, options), gzip, () => undefined);
}

async function* tarChunks(store: BlobStore, root: TreeEntry, options: ExportOptions): AsyncGenerator<Buffer> {
  for await (const stored of walkStored(store, root, options)) {
    yield writeHeader(recordOf(stored));
    if (stored.entry.kind !== 'file') continue;
    if (stored.bytes !== undefined) yield stored.bytes;
    else yield* wholeBlob(store, stored);
    const rest = padding(stored.entry.size);
    if (rest > 0) yield Buffer.alloc(rest);
  }
  yield Buffer.alloc(2 * blockSize);
}

/** A blob that is shorter or longer than its entry says would shift all that follows in the archive. */
async function* wholeBlob(store: BlobStore, stored: StoredEntry): AsyncGenerator<Buffer> {
  if (stored.entry.kind !== 'file') return;
  let left = stored.entry.size;
  for await (const chunk of store.read(stored.entry.digest) as AsyncIterable<Buffer>) {
    left -= chunk.length;
    yield chunk;
  }
  if (left !== 0) throw new IncompleteContentsError(`${stored.path} has another size than its entry says`);
}

function recordOf({ path, entry }: StoredEntry): TarRecord {
  const name = path === '' ? './' : `./${path}`;
  const common = { size: 0, modifiedAt: exportedTime } as const;
  switch (entry.kind) {
    case 'tree':
      return { ...common, name: path === '' ? name : `${name}/`, type: 'directory', mode: 0o755 };
    case 'file':
      return { ...common, name, type: 'file', mode: entry.executable ? 0o755 : 0o644, size: entry.size };
    case 'link':
      return { ...common, name, type: 'link', mode: 0o777, link: entry.target };
    default:
      return assertNever(entry);
  }
}
