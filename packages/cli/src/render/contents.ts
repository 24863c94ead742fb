/** Files and directories of bundles on the terminal (cli.md §8.10). */
import { readContents, targetInfo, type ResolvedTarget, type RestClient } from '@sheaf/client';
import { formatSize } from '@sheaf/domain';
import type { TargetInfo } from '@sheaf/wire';
import type { Context } from '../context.ts';
import { renderTable } from './table.ts';

export interface Excerpt {
  readonly head?: number;
  readonly tail?: number;
}

/**
 * Writes a file's bytes, a directory's listing or a link's destination to stdout.
 * @returns what was found there.
 * @throws SheafError `not-found`
 */
export async function showTarget(
  context: Context,
  client: RestClient,
  target: ResolvedTarget,
  excerpt: Excerpt = {},
): Promise<TargetInfo> {
  const info = await targetInfo(client, target, 1);
  switch (info.type) {
    case 'directory':
      for (const line of directoryListing(info.contents ?? [])) context.print(line);
      return info;
    case 'link':
      context.print(` -> ${info.link ?? ''}`);
      return info;
    case 'file':
    case '':
      await copyFile(context, client, resolvedOf(info, target), excerpt);
      return info;
  }
}

/** Where the data really is: a path may lead into a dependency. */
export function resolvedOf(info: TargetInfo, asked: ResolvedTarget): ResolvedTarget {
  const { resolved_target: resolved } = info;
  return resolved === undefined ? asked : { uuid: resolved.bundle_uuid, subpath: resolved.subpath };
}

async function copyFile(
  context: Context,
  client: RestClient,
  target: ResolvedTarget,
  excerpt: Excerpt,
): Promise<void> {
  const { body } = await readContents(client, target, excerpt);
  for await (const chunk of body) context.write(chunk);
}

/** `name perm size`, sorted by name. */
export function directoryListing(entries: readonly TargetInfo[]): string[] {
  const rows = entries
    .toSorted((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
    .map((entry) => [nameOf(entry), `0o${entry.perm.toString(8)}`, sizeOf(entry)]);
  return renderTable(['name', 'perm', 'size'], rows, { right: ['size'] });
}

function nameOf(entry: TargetInfo): string {
  return entry.type === 'link' ? `${entry.name} -> ${entry.link ?? ''}` : entry.name;
}

function sizeOf(entry: TargetInfo): string {
  if (entry.type === 'directory') return 'dir';
  return entry.type === 'link' ? 'link' : formatSize(entry.size);
}
