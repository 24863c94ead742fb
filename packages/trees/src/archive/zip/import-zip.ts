/** Unpacks a zip file: its directory is at the end, so it goes through a temporary file of the store. */
import type { Buffer } from 'node:buffer';
import { fromRandomAccessReaderPromise, type Entry as ZipEntry, type ZipFile } from 'yauzl';
import { InvalidArchiveError } from '../../errors.ts';
import { smallBlob, type BlobStore } from '../../stores/blob-store.ts';
import type { Intake } from '../../stores/intake.ts';
import { Breather } from '../../tree/breathe.ts';
import type { DraftFile, DraftTree } from '../../tree/draft.ts';
import { ArchiveTree, linkDraft, memberPath, refusal, type MemberPath } from '../archive-tree.ts';
import type { LimitCounter } from '../limits.ts';
import { readMember, streamMember } from './read-member.ts';
import { WindowedFile } from './windowed-file.ts';
import { zipMemberMode, zipMemberName } from './zip-member.ts';

const typeOfFile = 0o170000;
const typeLink = 0o120000;
const typeDirectory = 0o040000;
const typeRegular = 0o100000;
/** What Info-ZIP says of a member whose bytes it read from a pipe. */
const typePipe = 0o010000;
const fileTypes = [0, typeRegular, typePipe];
const ownerMayExecute = 0o100;
const longestTarget = 4096;

export async function importZip(
  store: BlobStore,
  source: AsyncIterable<Uint8Array>,
  intake: Intake,
  counter: LimitCounter,
): Promise<DraftTree> {
  const spooled = await store.spool(source);
  try {
    const file = new WindowedFile(spooled.path);
    const options = { autoClose: false, decodeStrings: false };
    const opened = fromRandomAccessReaderPromise(file, spooled.size, options);
    const zip = await translated(opened);
    try {
      return await new ZipImport(zip, file, intake, counter).run();
    } finally {
      zip.close();
    }
  } finally {
    await spooled.remove();
  }
}

class ZipImport {
  readonly #zip: ZipFile;
  readonly #file: WindowedFile;
  readonly #intake: Intake;
  readonly #counter: LimitCounter;
  readonly #tree = new ArchiveTree();

  constructor(zip: ZipFile, file: WindowedFile, intake: Intake, counter: LimitCounter) {
    this.#zip = zip;
    this.#file = file;
    this.#intake = intake;
    this.#counter = counter;
  }

  async run(): Promise<DraftTree> {
    if (this.#zip.entryCount === 0) throw new InvalidArchiveError('the zip file has no entries');
    const breather = new Breather();
    const members = this.#zip.eachEntry();
    for (;;) {
      const next = await translated(members.next());
      if (next.done === true) return this.#tree.root;
      this.#counter.entry();
      await this.#take(next.value);
      if (breather.due) await breather.rest();
    }
  }

  async #take(member: ZipEntry): Promise<void> {
    const name = zipMemberName(member);
    const path = memberPath(name);
    const mode = zipMemberMode(member);
    const type = mode & typeOfFile;
    if (name.endsWith('/') || type === typeDirectory) {
      this.#tree.directory(path);
      return;
    }
    this.#refuseUnreadable(member, path);
    if (type === typeLink) {
      if (member.uncompressedSize > longestTarget)
        throw refusal(path.shown, 'the target of the link is too long');
      const target = await readMember(this.#zip, this.#file, member, path.shown);
      this.#counter.unpack(target.length);
      this.#tree.put(path, linkDraft(path, target));
      return;
    }
    if (!fileTypes.includes(type)) throw refusal(path.shown, 'it is neither file, directory nor link');
    await this.#takeFile(member, path, (mode & ownerMayExecute) !== 0);
  }

  #refuseUnreadable(member: ZipEntry, path: MemberPath): void {
    if (this.#tree.has(path)) throw refusal(path.shown, 'it is in the zip file twice');
    if (member.isEncrypted()) throw refusal(path.shown, 'it is encrypted');
    if (!member.canDecodeFileData()) {
      throw refusal(
        path.shown,
        `it is compressed with method ${member.compressionMethod}, which is not supported`,
      );
    }
  }

  async #takeFile(member: ZipEntry, path: MemberPath, executable: boolean): Promise<void> {
    const size = member.uncompressedSize;
    this.#counter.file(size);
    const draft: DraftFile = { kind: 'file', digest: undefined, size, executable };
    this.#tree.put(path, draft);
    if (size > smallBlob || member.compressedSize > 2 * smallBlob) {
      const unpacked = this.#counter.unpacking(streamMember(this.#zip, member, path.shown));
      draft.digest = (await this.#intake.stream(unpacked)).digest;
      return;
    }
    const bytes: Buffer = await readMember(this.#zip, this.#file, member, path.shown);
    this.#counter.unpack(bytes.length);
    const waiting = this.#intake.add(bytes, (digest) => {
      draft.digest = digest;
    });
    if (waiting !== undefined) await waiting;
  }
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new InvalidArchiveError('it is not a zip file, or is damaged', { cause: error });
  }
}
