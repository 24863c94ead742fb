/** What is at a path of a running bundle (execution.md §5.3, §23). */
import type { Stats } from 'node:fs';
import { openInside, type OpenDirectory } from './inside.ts';
import { ReadProblem } from './read-problem.ts';

export interface LiveTargetInfo {
  readonly name: string;
  readonly size: number;
  readonly perm: number;
  readonly type: 'file' | 'directory' | 'link' | '';
  readonly link?: string;
  readonly contents?: readonly LiveTargetInfo[];
}

export interface InfoRequest {
  /** Host path of the run directory. */
  readonly directory: string;
  readonly uuid: string;
  readonly components: readonly string[];
  /** Levels of directory entries to list. */
  readonly depth: number;
  /** Paths of dependencies, which are left out. */
  readonly hidden: ReadonlySet<string>;
}

/** @throws ReadProblem 404 */
export async function liveTargetInfo(
  request: InfoRequest,
): Promise<LiveTargetInfo & { resolved_target: unknown }> {
  const { directory, uuid, components, depth, hidden } = request;
  const subpath = components.join('/');
  if (hidden.has(subpath)) throw new ReadProblem(404, `${subpath} is a dependency of the run.`);
  const info = await describe(directory, uuid, components, depth, hidden);
  return { ...info, resolved_target: { bundle_uuid: uuid, subpath } };
}

async function describe(
  directory: string,
  uuid: string,
  components: readonly string[],
  depth: number,
  hidden: ReadonlySet<string>,
): Promise<LiveTargetInfo> {
  const name = components.at(-1);
  if (name === undefined) {
    await using root = await openInside(directory, []);
    return await describeDirectory(root, uuid, await root.ownStat(), depth, hidden);
  }
  await using parent = await openInside(directory, components.slice(0, -1));
  return await describeEntry(parent, name, await parent.stat(name), depth, hidden);
}

async function describeEntry(
  parent: OpenDirectory,
  name: string,
  stat: Stats,
  depth: number,
  hidden: ReadonlySet<string>,
): Promise<LiveTargetInfo> {
  if (stat.isSymbolicLink()) return { ...common(name, stat), type: 'link', link: await parent.link(name) };
  if (stat.isFile()) return { ...common(name, stat), type: 'file' };
  if (!stat.isDirectory()) return { ...common(name, stat), type: '' };
  if (depth === 0) return { ...common(name, stat), type: 'directory' };
  await using directory = await parent.directory(name);
  return await describeDirectory(directory, name, stat, depth, hidden);
}

async function describeDirectory(
  directory: OpenDirectory,
  name: string,
  stat: Stats,
  depth: number,
  hidden: ReadonlySet<string>,
): Promise<LiveTargetInfo> {
  const info = { ...common(name, stat), type: 'directory' } as const;
  if (depth === 0) return info;
  const contents: LiveTargetInfo[] = [];
  const names = (await directory.names()).filter((child) => !hidden.has(directory.below(child)));
  for (let at = 0; at < names.length; at += atOnce) {
    const some = names.slice(at, at + atOnce);
    const stats = await Promise.all(some.map((child) => unlessGone(() => directory.stat(child))));
    for (const [index, child] of some.entries()) {
      const its = stats[index];
      const entry = its && (await unlessGone(() => describeEntry(directory, child, its, depth - 1, hidden)));
      if (entry !== undefined) contents.push(entry);
    }
  }
  return { ...info, contents };
}

/** Entries of a directory that are looked at at the same time. */
const atOnce = 64;

/** Undefined for what has gone since it was listed: a command at work does that. */
async function unlessGone<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ReadProblem) return undefined;
    throw error;
  }
}

function common(name: string, stat: Stats): Pick<LiveTargetInfo, 'name' | 'size' | 'perm'> {
  return { name, size: stat.size, perm: stat.mode & 0o777 };
}
