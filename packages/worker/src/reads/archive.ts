/** A directory of a running bundle as a gzipped tar, made while it is sent. */
import { leftOutOfDownloads, padding, writeHeader } from '@sheaf/trees';
import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { openInside, type OpenDirectory } from './inside.ts';
import { piecesOf } from './file.ts';
import { ReadProblem } from './read-problem.ts';

const blockSize = 512;

/**
 * The bytes of the tar: members relative to `.`, links as links, dependencies and what downloads leave out (rest-api.md §19.6)
 * not at all.
 */
export async function* liveTar(
  directory: string,
  components: readonly string[],
  hidden: ReadonlySet<string>,
): AsyncGenerator<Uint8Array> {
  await using root = await openInside(directory, components);
  yield* members(root, '.', await root.ownStat(), hidden);
  yield new Uint8Array(2 * blockSize);
}

async function* members(
  directory: OpenDirectory,
  name: string,
  stat: Stats,
  hidden: ReadonlySet<string>,
): AsyncGenerator<Uint8Array> {
  yield header(`${name}/`, 'directory', stat, {});
  for (const child of await directory.names()) {
    if (leftOutOfDownloads({ name: child }) || hidden.has(directory.below(child))) continue;
    try {
      yield* member(directory, child, `${name}/${child}`, hidden);
    } catch (error) {
      // Gone since it was listed: a command at work does that.
      if (!(error instanceof ReadProblem)) throw error;
    }
  }
}

async function* member(
  parent: OpenDirectory,
  child: string,
  name: string,
  hidden: ReadonlySet<string>,
): AsyncGenerator<Uint8Array> {
  const stat = await parent.stat(child);
  if (stat.isSymbolicLink()) yield header(name, 'link', stat, { link: await parent.link(child) });
  else if (stat.isDirectory()) {
    await using directory = await parent.directory(child);
    yield* members(directory, name, stat, hidden);
  } else if (stat.isFile()) yield* file(parent, child, name);
}

/** A file that becomes longer is cut off at the size it had, one that becomes shorter is filled up. */
async function* file(parent: OpenDirectory, child: string, name: string): AsyncGenerator<Uint8Array> {
  const opened = await parent.file(child, constants.O_RDONLY);
  const stat = await opened.stat();
  yield header(name, 'file', stat, { size: stat.size });
  let sent = 0;
  for await (const piece of piecesOf(opened, 0, stat.size)) {
    sent += piece.length;
    yield piece;
  }
  for (let left = stat.size - sent; left > 0; left -= blockSize)
    yield new Uint8Array(Math.min(left, blockSize));
  yield new Uint8Array(padding(stat.size));
}

function header(
  name: string,
  type: 'file' | 'directory' | 'link',
  stat: Stats,
  more: { size?: number; link?: string },
): Buffer {
  return writeHeader({
    size: 0,
    name,
    type,
    mode: stat.mode & 0o777,
    modifiedAt: Math.max(0, Math.floor(stat.mtimeMs / 1000)),
    ...more,
  });
}
