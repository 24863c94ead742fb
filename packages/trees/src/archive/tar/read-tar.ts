/** Takes a tar stream apart into its members, one at a time, without keeping their bytes. */
import { Buffer } from 'node:buffer';
import { InvalidArchiveError } from '../../errors.ts';
import { ByteReader } from '../byte-reader.ts';
import { blockSize, isZeroBlock, number, parseHeader, type TarHeader } from './header.ts';
import { decimal, parsePax, seconds, type Pax } from './pax.ts';
import { expandSparse, sparseLayout } from './sparse.ts';

/** Extended headers and long names above this are an attack, not a path. */
const longestExtension = 1024 * 1024;

export interface TarMember {
  readonly name: Buffer;
  readonly link: Buffer;
  /** Type flag, see POSIX ustar; sparse files come as `0`. */
  readonly type: string;
  readonly mode: number;
  /** Bytes of the body as `body` will give them. */
  readonly size: number;
  /** To be read before the next member is asked for; what is not read is skipped. */
  body(): AsyncIterable<Buffer>;
  /** The whole body at once. */
  bytes(): Promise<Buffer>;
  /** Whose it is and when it was changed, for those who want to know: uploads do not, whatever their headers say. */
  attributes(): TarAttributes;
}

export interface TarAttributes {
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch, with a fraction. */
  readonly modified: number;
}

interface Extensions {
  pax: Pax | undefined;
  name: Buffer | undefined;
  link: Buffer | undefined;
}

/**
 * @throws InvalidArchiveError where the stream is no tar, is damaged, or ends in the middle of a member. A missing end mark
 * is accepted, as GNU tar does; what follows it is read away.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarMember> {
  const reader = new ByteReader(source);
  try {
    yield* readMembers(reader);
  } finally {
    await reader.cancel();
  }
}

async function* readMembers(reader: ByteReader): AsyncGenerator<TarMember> {
  let global: Pax | undefined;
  let extensions = none();
  for (let headers = 0; ; headers += 1) {
    const block = await reader.upTo(blockSize);
    if (block.length === 0 && headers > 0) return;
    if (block.length < blockSize)
      throw new InvalidArchiveError(headers === 0 ? 'it is not a tar archive' : cutShort);
    if (isZeroBlock(block)) {
      await reader.drain();
      return;
    }
    const header = parseHeader(block);
    switch (header.type) {
      case 'g':
        global = parsePax(await extensionBytes(reader, header));
        break;
      case 'x':
      case 'X':
        extensions.pax = parsePax(await extensionBytes(reader, header));
        break;
      case 'L':
        extensions.name = beforeNul(await extensionBytes(reader, header));
        break;
      case 'K':
        extensions.link = beforeNul(await extensionBytes(reader, header));
        break;
      default:
        yield* readMember(reader, header, extensions, global);
        extensions = none();
    }
  }
}

const cutShort = 'the tar archive is cut short';

function none(): Extensions {
  return { pax: undefined, name: undefined, link: undefined };
}

async function extensionBytes(reader: ByteReader, header: TarHeader): Promise<Buffer> {
  if (header.size > longestExtension) throw new InvalidArchiveError('an extended tar header is too long');
  const bytes = await reader.upTo(header.size);
  const padding = await reader.upTo(paddingOf(header.size));
  if (bytes.length < header.size || padding.length < paddingOf(header.size))
    throw new InvalidArchiveError(cutShort);
  // The chunk they lie in is used again.
  return Buffer.from(bytes);
}

function beforeNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end === -1 ? bytes : bytes.subarray(0, end);
}

export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** Only these carry a body; for links and directories a size means nothing. */
function bodyLength(type: string, size: number): number {
  return ['1', '2', '3', '4', '5', '6'].includes(type) ? 0 : size;
}

async function* readMember(
  reader: ByteReader,
  header: TarHeader,
  extensions: Extensions,
  global: Pax | undefined,
): AsyncGenerator<TarMember> {
  const record = (key: string): Buffer | undefined =>
    extensions.pax?.records.get(key) ?? global?.records.get(key);
  const paxSize = record('size');
  const stored = bodyLength(header.type, paxSize === undefined ? header.size : decimal(paxSize));
  const raw = new Body(reader, stored);
  const sparse = await sparseLayout(header, extensions.pax, raw, reader);
  const name = record('GNU.sparse.name') ?? record('path') ?? extensions.name ?? Buffer.from(header.name);
  const body = (): AsyncIterable<Buffer> => (sparse === undefined ? raw.chunks() : expandSparse(sparse, raw));
  const size = sparse?.size ?? stored;
  // The chunk that the block lies in is used again, as soon as the body is read.
  const fields = Buffer.from(header.block.subarray(0, 148));
  yield {
    name,
    link: record('linkpath') ?? extensions.link ?? Buffer.from(header.link),
    type: header.type === 'S' ? '0' : header.type,
    mode: header.mode,
    size,
    body,
    bytes: async () => {
      if (sparse === undefined) return await raw.take(stored);
      const parts: Buffer[] = [];
      for await (const part of expandSparse(sparse, raw)) parts.push(part);
      return Buffer.concat(parts);
    },
    attributes: () => attributesOf(fields, record),
  };
  await raw.skip();
  const padding = await reader.upTo(paddingOf(stored));
  if (padding.length < paddingOf(stored)) throw new InvalidArchiveError(cutShort);
}

/** @throws InvalidArchiveError where one of them is no number */
function attributesOf(fields: Buffer, record: (key: string) => Buffer | undefined): TarAttributes {
  const [uid, gid, modified] = ['uid', 'gid', 'mtime'].map(record);
  return {
    uid: uid === undefined ? number(fields, 108, 8) : decimal(uid),
    gid: gid === undefined ? number(fields, 116, 8) : decimal(gid),
    modified: modified === undefined ? number(fields, 136, 12) : seconds(modified),
  };
}

/** The stored bytes of one member. */
export class Body {
  readonly #reader: ByteReader;
  #left: number;

  constructor(reader: ByteReader, length: number) {
    this.#reader = reader;
    this.#left = length;
  }

  /** Exactly so many of the bytes left. @throws InvalidArchiveError where there are fewer */
  async take(length: number): Promise<Buffer> {
    if (length > this.#left) throw new InvalidArchiveError(cutShort);
    const bytes = await this.#reader.upTo(length);
    if (bytes.length < length) throw new InvalidArchiveError(cutShort);
    this.#left -= length;
    return bytes;
  }

  /** The bytes left, or the next `most` of them, in pieces. */
  async *chunks(most = this.#left): AsyncGenerator<Buffer> {
    let wanted = most;
    if (wanted > this.#left) throw new InvalidArchiveError(cutShort);
    while (wanted > 0) {
      const chunk = await this.#reader.some(wanted);
      if (chunk === undefined) throw new InvalidArchiveError(cutShort);
      wanted -= chunk.length;
      this.#left -= chunk.length;
      yield chunk;
    }
  }

  async skip(): Promise<void> {
    for await (const _ of this.chunks());
  }
}
