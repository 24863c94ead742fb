/** Unpacks a zip file: its directory is at the end, so it goes through a temporary file of the store. */
import { crc32 } from 'node:zlib';
import { ContentsError, InvalidArchiveError } from '../errors.ts';
import { smallBlob, type BlobStore } from '../stores/blob-store.ts';
import type { Intake } from '../stores/intake.ts';
import type { DraftFile, DraftTree } from '../tree/draft.ts';
import { openPromise, type Entry as ZipEntry, type ZipFile } from 'yauzl';
import { ArchiveTree, linkDraft, memberPath, refusal } from './archive-tree.ts';
import type { LimitCounter } from './limits.ts';
import { zipMemberName, zipMemberMode } from './zip-member.ts';

const typeOfFile = 0o170000;
const typeLink = 0o120000;
const typeDirectory = 0o040000;
const typeRegular = 0o100000;
const longestTarget = 4096;

export async function importZip(
  store: BlobStore,
  source: AsyncIterable<Uint8Array>,
  intake: Intake,
  counter: LimitCounter,
): Promise<DraftTree> {
  const spooled = await store.spool(source);
  try {
    const zip = await translated(openPromise(spooled.path, { autoClose: false, decodeStrings: false }));
    try {
      return await readMembers(zip, intake, counter);
    } finally {
      zip.close();
    }
  } finally {
    await spooled.remove();
  }
}

async function readMembers(zip: ZipFile, intake: Intake, counter: LimitCounter): Promise<DraftTree> {
  if (zip.entryCount === 0) throw new InvalidArchiveError('the zip file has no entries');
  const tree = new ArchiveTree();
  const members = zip.eachEntry();
  for (;;) {
    const next = await translated(members.next());
    if (next.done === true) return tree.root;
    counter.entry();
    await takeMember(zip, next.value, tree, intake, counter);
  }
}

async function takeMember(
  zip: ZipFile,
  member: ZipEntry,
  tree: ArchiveTree,
  intake: Intake,
  counter: LimitCounter,
): Promise<void> {
  const name = zipMemberName(member);
  const path = memberPath(name);
  const mode = zipMemberMode(member);
  const type = mode & typeOfFile;
  if (name.endsWith('/') || type === typeDirectory) {
    tree.directory(path);
    return;
  }
  if (tree.has(path)) throw refusal(path.shown, 'it is in the zip file twice');
  if (member.isEncrypted()) throw refusal(path.shown, 'it is encrypted');
  if (!member.canDecodeFileData()) {
    throw refusal(
      path.shown,
      `it is compressed with method ${member.compressionMethod}, which is not supported`,
    );
  }
  if (type === typeLink) {
    if (member.uncompressedSize > longestTarget)
      throw refusal(path.shown, 'the target of a link is too long');
    tree.put(path, linkDraft(path, await wholeMember(zip, member, path.shown, counter)));
    return;
  }
  if (type !== 0 && type !== typeRegular) throw refusal(path.shown, 'it is neither file, directory nor link');
  counter.file(member.uncompressedSize);
  const draft: DraftFile = {
    kind: 'file',
    digest: undefined,
    size: member.uncompressedSize,
    executable: (mode & 0o100) !== 0,
  };
  if (member.uncompressedSize > smallBlob) {
    draft.digest = (await intake.stream(readMember(zip, member, path.shown, counter))).digest;
  } else {
    const waiting = intake.add(await wholeMember(zip, member, path.shown, counter), (digest) => {
      draft.digest = digest;
    });
    if (waiting !== undefined) await waiting;
  }
  tree.put(path, draft);
}

async function wholeMember(
  zip: ZipFile,
  member: ZipEntry,
  shown: string,
  counter: LimitCounter,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readMember(zip, member, shown, counter)) parts.push(part);
  return Buffer.concat(parts);
}

async function* readMember(
  zip: ZipFile,
  member: ZipEntry,
  shown: string,
  counter: LimitCounter,
): AsyncGenerator<Buffer> {
  let checksum = 0;
  try {
    for await (const chunk of (await zip.openReadStreamPromise(member)) as AsyncIterable<Buffer>) {
      checksum = crc32(chunk, checksum);
      counter.unpack(chunk.length);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof ContentsError ? error : refusal(shown, 'it is damaged', error);
  }
  if (checksum !== member.crc32) throw refusal(shown, 'its checksum is wrong');
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new InvalidArchiveError('it is not a zip file, or is damaged', { cause: error });
  }
}
