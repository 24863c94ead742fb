/**
 * Gunzip as the uploads need it (bundles.md §12.5): several members one after the other, anything else after a member
 * ignored, a stream that is cut short refused. `zlib.Gunzip` fails on what follows the last member, so the members are taken
 * apart here and only the inflating is left to zlib.
 */
import { crc32, createInflateRaw } from 'node:zlib';
import { InvalidArchiveError } from '../errors.ts';
import { ByteReader } from './byte-reader.ts';

const flag = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;
const chunkSize = 128 * 1024;

/** @throws InvalidArchiveError where the stream is no gzip, damaged or cut short; errors of the source as they are */
export async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  try {
    for (let member = 0; ; member += 1) {
      const magic = await reader.upTo(2);
      const isMember = magic.length === 2 && magic[0] === 0x1f && magic[1] === 0x8b;
      if (!isMember && member > 0) {
        await reader.drain();
        return;
      }
      if (!isMember)
        throw new InvalidArchiveError(magic.length === 0 ? 'it is empty' : 'it is not a gzip file');
      await skipHeader(reader);
      yield* inflateMember(reader);
    }
  } finally {
    await reader.cancel();
  }
}

async function exactly(reader: ByteReader, length: number): Promise<Buffer> {
  const bytes = await reader.upTo(length);
  if (bytes.length < length) throw cutShort();
  return bytes;
}

function cutShort(cause?: unknown): InvalidArchiveError {
  return new InvalidArchiveError('the gzip stream is cut short', { cause });
}

async function skipHeader(reader: ByteReader): Promise<void> {
  const header = await exactly(reader, 8);
  const flags = header.readUInt8(1);
  if (header[0] !== 8 || (flags & flag.reserved) !== 0)
    throw new InvalidArchiveError('the gzip header is damaged');
  if ((flags & flag.extra) !== 0) await exactly(reader, (await exactly(reader, 2)).readUInt16LE(0));
  if ((flags & flag.name) !== 0) await skipText(reader);
  if ((flags & flag.comment) !== 0) await skipText(reader);
  if ((flags & flag.headerChecksum) !== 0) await exactly(reader, 2);
}

async function skipText(reader: ByteReader): Promise<void> {
  while ((await exactly(reader, 1))[0] !== 0);
}

async function* inflateMember(reader: ByteReader): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw({ chunkSize });
  const feeding = feed(reader, inflate);
  let checksum = 0;
  let size = 0;
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      checksum = crc32(chunk, checksum);
      size = (size + chunk.length) % 2 ** 32;
      yield chunk;
    }
  } catch (error) {
    throw translate(error);
  } finally {
    inflate.destroy();
    await feeding;
  }
  const trailer = await exactly(reader, 8);
  if (trailer.readUInt32LE(0) !== checksum || trailer.readUInt32LE(4) !== size) {
    throw new InvalidArchiveError('the gzip checksum is wrong');
  }
}

/** Writes until the member ends, and puts back what belongs to what follows. Never rejects: errors go through the stream. */
async function feed(reader: ByteReader, inflate: ReturnType<typeof createInflateRaw>): Promise<void> {
  let given = 0;
  try {
    for (;;) {
      const chunk = await reader.some(chunkSize);
      if (chunk === undefined) {
        inflate.end();
        return;
      }
      given += chunk.length;
      const taken = await write(inflate, chunk);
      if (!taken) return;
      const left = given - inflate.bytesWritten;
      if (left > 0) {
        reader.unread(chunk.subarray(chunk.length - left));
        return;
      }
    }
  } catch (error) {
    inflate.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Answers false where the stream was destroyed meanwhile; zlib then never calls back. */
async function write(inflate: ReturnType<typeof createInflateRaw>, chunk: Buffer): Promise<boolean> {
  if (inflate.destroyed) return false;
  return await new Promise((resolve) => {
    const closed = (): void => resolve(false);
    inflate.once('close', closed);
    inflate.write(chunk, (error) => {
      inflate.off('close', closed);
      resolve(error === null || error === undefined);
    });
  });
}

function translate(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'Z_BUF_ERROR') return cutShort(error);
  if (typeof code === 'string' && code.startsWith('Z_')) {
    return new InvalidArchiveError('the gzip stream is damaged', { cause: error });
  }
  return error;
}
