/** Streams a directory out as a zip file. Equal contents give equal bytes. */
import { Buffer } from 'node:buffer';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createDeflateRaw, deflateRaw, deflateRawSync } from 'node:zlib';
import { assertNever } from '@sheaf/domain';
import { IncompleteContentsError } from '../../errors.ts';
import type { BlobStore } from '../../stores/blob-store.ts';
import type { TreeEntry } from '../../tree/entry.ts';
import type { ExportOptions } from '../export-tar.ts';
import { joined } from '../joined.ts';
import { walkStored, type StoredEntry } from '../stored-walk.ts';
import { centralHeader, dataDescriptor, endOfDirectory, localHeader, type ZipRecord } from './zip-record.ts';

const deflate = promisify(deflateRaw);
/** Up to this many bytes, handing the work to another thread costs more than the work. */
const deflatedAtOnce = 16 * 1024;
/** Deflate makes the worst data this much longer at most; a streamed member that could pass 4 GiB needs zip64 from its start. */
const streamedLimit = 0xffffffff - 16 * 1024 * 1024;

/**
 * A zip with the members `a`, `d/`, `d/b`, …; an empty directory is one member `./`, because a file without members is not
 * accepted everywhere. A failure destroys the stream, so that it never looks complete.
 */
export function exportZip(store: BlobStore, root: TreeEntry, options: ExportOptions = {}): Readable {
  return Readable.from(joined(zipChunks(store, root, options)), {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
}

async function* zipChunks(
  store: BlobStore,
  root: TreeEntry,
  options: ExportOptions,
): AsyncGenerator<Buffer, undefined> {
  const directory: Buffer[] = [];
  let offset = 0;
  let length = 0;
  const write = async function* (stored: StoredEntry): AsyncGenerator<Buffer, undefined> {
    const record = yield* counting(writeMember(store, stored, offset), (written) => {
      offset += written;
    });
    const header = centralHeader(record);
    directory.push(header);
    length += header.length;
    return undefined;
  };
  for await (const stored of walkStored(store, root, options)) {
    if (stored.path !== '') yield* write(stored);
  }
  if (directory.length === 0) yield* write({ path: '.', name: '.', entry: root, bytes: undefined });
  yield* directory;
  yield endOfDirectory({ count: directory.length, offset, length });
  return undefined;
}

async function* counting<T>(
  chunks: AsyncGenerator<Buffer, T>,
  count: (length: number) => void,
): AsyncGenerator<Buffer, T> {
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return next.value;
    count(next.value.length);
    yield next.value;
  }
}

async function* writeMember(
  store: BlobStore,
  stored: StoredEntry,
  offset: number,
): AsyncGenerator<Buffer, ZipRecord> {
  const { entry, path } = stored;
  switch (entry.kind) {
    case 'tree':
      return yield* writeWhole(`${path}/`, 0o040755, Buffer.alloc(0), offset);
    case 'link':
      return yield* writeWhole(path, 0o120777, Buffer.from(entry.target), offset);
    case 'file': {
      const mode = entry.executable ? 0o100755 : 0o100644;
      if (stored.bytes !== undefined) return yield* writeWhole(path, mode, stored.bytes, offset);
      const bytes = store.read(entry.digest) as AsyncIterable<Buffer>;
      return yield* writeStreamed(path, mode, { bytes, size: entry.size }, offset);
    }
    default:
      return assertNever(entry);
  }
}

async function* writeWhole(
  name: string,
  mode: number,
  bytes: Buffer,
  offset: number,
): AsyncGenerator<Buffer, ZipRecord> {
  const packed = bytes.length <= deflatedAtOnce ? deflateRawSync(bytes) : await deflate(bytes);
  const isShorter = packed.length < bytes.length;
  const record: ZipRecord = {
    name: Buffer.from(name),
    mode,
    method: isShorter ? 'deflated' : 'stored',
    offset,
    size: bytes.length,
    packedSize: isShorter ? packed.length : bytes.length,
    checksum: crc32(bytes),
    streamed: false,
    wide: false,
  };
  yield localHeader(record);
  yield isShorter ? packed : bytes;
  return record;
}

async function* writeStreamed(
  name: string,
  mode: number,
  file: { bytes: AsyncIterable<Buffer>; size: number },
  offset: number,
): AsyncGenerator<Buffer, ZipRecord> {
  const { size } = file;
  const record: ZipRecord = {
    name: Buffer.from(name),
    mode,
    method: 'deflated',
    offset,
    size,
    packedSize: 0,
    wide: size > streamedLimit,
    checksum: 0,
    streamed: true,
  };
  yield localHeader(record);
  let checksum = 0;
  let read = 0;
  const counted = async function* (): AsyncGenerator<Buffer, undefined> {
    for await (const chunk of file.bytes) {
      checksum = crc32(chunk, checksum);
      read += chunk.length;
      yield chunk;
    }
    return undefined;
  };
  let packedSize = 0;
  for await (const chunk of deflated(counted())) {
    packedSize += chunk.length;
    yield chunk;
  }
  if (read !== size) throw new IncompleteContentsError(`${name} has another size than its entry says`);
  const finished: ZipRecord = { ...record, packedSize, checksum };
  yield dataDescriptor(finished);
  return finished;
}

async function* deflated(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, undefined> {
  const packed = createDeflateRaw({ chunkSize: 128 * 1024 });
  // A failure of the source destroys `packed` with it, and so comes out below.
  pipeline(Readable.from(source, { objectMode: false }), packed, () => undefined);
  yield* packed as AsyncIterable<Buffer>;
  return undefined;
}
