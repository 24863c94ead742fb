/** The bytes of one member of a zip file, checked against what the directory says of them. */
import type { Buffer } from 'node:buffer';
import { crc32, inflateRawSync } from 'node:zlib';
import type { Entry as ZipEntry, ZipFile } from 'yauzl';
import { ContentsError } from '../../errors.ts';
import { refusal } from '../archive-tree.ts';
import type { WindowedFile } from './windowed-file.ts';

const stored = 0;

/** A small member at once. @throws InvalidArchiveError */
export async function readMember(
  zip: ZipFile,
  file: WindowedFile,
  member: ZipEntry,
  shown: string,
): Promise<Buffer> {
  let bytes: Buffer;
  try {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(member, { minimal: true });
    const packed = file.take(fileDataStart, member.compressedSize);
    // One byte more than promised is enough to see that there is more.
    bytes =
      member.compressionMethod === stored
        ? packed
        : inflateRawSync(packed, { maxOutputLength: member.uncompressedSize + 1 });
  } catch (error) {
    throw refusal(shown, 'it is damaged', error);
  }
  if (bytes.length !== member.uncompressedSize) throw refusal(shown, 'it has another size than it says');
  if (crc32(bytes) !== member.crc32) throw refusal(shown, 'its checksum is wrong');
  return bytes;
}

/** A large member in pieces. @throws InvalidArchiveError */
export async function* streamMember(
  zip: ZipFile,
  member: ZipEntry,
  shown: string,
): AsyncGenerator<Buffer, undefined> {
  let checksum = 0;
  try {
    for await (const chunk of (await zip.openReadStreamPromise(member)) as AsyncIterable<Buffer>) {
      checksum = crc32(chunk, checksum);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof ContentsError ? error : refusal(shown, 'it is damaged', error);
  }
  if (checksum !== member.crc32) throw refusal(shown, 'its checksum is wrong');
  return undefined;
}
