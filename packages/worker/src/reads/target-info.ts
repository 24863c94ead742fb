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
  return await describeEntry(parent, name, depth, hidden);
}

async function describeEntry(
  parent: OpenDirectory,
  name: string,
  depth: number,
  hidden: ReadonlySet<string>,
): Promise<LiveTargetInfo> {
  const stat = await parent.stat(name);
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
  for (const child of await directory.names()) {
    if (hidden.has(directory.below(child))) continue;
    try {
      contents.push(await describeEntry(directory, child, depth - 1, hidden));
    } catch (error) {
      // Gone since it was listed: a command at work does that.
      if (!(error instanceof ReadProblem)) throw error;
    }
  }
  return { ...info, contents };
}

function common(name: string, stat: Stats): Pick<LiveTargetInfo, 'name' | 'size' | 'perm'> {
  return { name, size: stat.size, perm: stat.mode & 0o777 };
}
