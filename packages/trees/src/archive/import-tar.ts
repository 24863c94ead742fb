/** Unpacks a tar stream into a store, in one pass. */
import { Buffer } from 'node:buffer';
import { InvalidArchiveError } from '../errors.ts';
import { smallBlob } from '../stores/blob-store.ts';
import type { Intake } from '../stores/intake.ts';
import type { DraftFile, DraftTree } from '../tree/draft.ts';
import { Breather } from '../tree/breathe.ts';
import { ArchiveTree, linkDraft, memberPath, refusal, type MemberPath } from './archive-tree.ts';
import type { LimitCounter } from './limits.ts';
import { readTar, type TarMember } from './tar/read-tar.ts';

const ownerMayExecute = 0o100;

export async function importTar(
  source: AsyncIterable<Uint8Array>,
  intake: Intake,
  counter: LimitCounter,
): Promise<DraftTree> {
  const tree = new ArchiveTree();
  const breather = new Breather();
  for await (const member of readTar(source)) {
    if (member.type === 'V') continue; // The name of the volume.
    const path = memberPath(member.name);
    counter.entry();
    try {
      await take(member, path, tree, intake, counter);
    } catch (error) {
      throw naming(path, error);
    }
    if (breather.due) await breather.rest();
  }
  return tree.root;
}

async function take(
  member: TarMember,
  path: MemberPath,
  tree: ArchiveTree,
  intake: Intake,
  counter: LimitCounter,
): Promise<void> {
  switch (member.type) {
    case '0':
    case '7':
      // Before POSIX a directory was a file whose name ends in a slash.
      if (member.name.at(-1) === 0x2f) tree.directory(path);
      else tree.put(path, await takeFile(member, intake, counter));
      return;
    case '5':
    case 'D':
      tree.directory(path);
      return;
    case '1':
      tree.hardLink(path, memberPath(member.link));
      return;
    case '2':
      tree.put(path, linkDraft(path, member.link));
      return;
    case '3':
    case '4':
      throw refusal(path.shown, 'it is a device');
    case '6':
      throw refusal(path.shown, 'it is a named pipe');
    default:
      throw refusal(path.shown, `it is of the unknown kind ${JSON.stringify(member.type)}`);
  }
}

async function takeFile(member: TarMember, intake: Intake, counter: LimitCounter): Promise<DraftFile> {
  counter.file(member.size);
  const draft: DraftFile = {
    kind: 'file',
    digest: undefined,
    size: member.size,
    executable: (member.mode & ownerMayExecute) !== 0,
  };
  if (member.size > smallBlob) {
    draft.digest = (await intake.stream(member.body())).digest;
    return draft;
  }
  const bytes = await member.bytes();
  // A copy, because a slice would keep the whole chunk it lies in.
  const waiting = intake.add(Buffer.from(bytes), (digest) => {
    draft.digest = digest;
  });
  if (waiting !== undefined) await waiting;
  return draft;
}

/** Damage that shows in the middle of a member is told with its name. */
function naming(path: MemberPath, error: unknown): unknown {
  if (error instanceof InvalidArchiveError && error.entry === undefined)
    return refusal(path.shown, error.message, error);
  return error;
}
