/** What `contents/info` says about stored contents (rest-api.md §18.1). */
import { assertNever } from '@sheaf/domain';
import { listTree, type Entry, type TreeSource } from '@sheaf/trees';
import type { TargetInfo } from '@sheaf/wire';

const directoryPermissions = 0o755;
const linkPermissions = 0o777;

/** @param depth levels of directories to list: 0 for the entry alone. */
export async function targetInfo(
  trees: TreeSource,
  name: string,
  entry: Entry,
  depth: number,
): Promise<TargetInfo> {
  switch (entry.kind) {
    case 'file':
      return { name, type: 'file', size: entry.size, perm: entry.executable ? 0o755 : 0o644 };
    case 'link':
      return {
        name,
        type: 'link',
        size: Buffer.byteLength(entry.target),
        perm: linkPermissions,
        link: entry.target,
      };
    case 'tree': {
      const info: TargetInfo = { name, type: 'directory', size: entry.size, perm: directoryPermissions };
      if (depth === 0) return info;
      const contents: TargetInfo[] = [];
      for (const child of await listTree(trees, entry)) {
        contents.push(await targetInfo(trees, child.name, child.entry, depth - 1));
      }
      return { ...info, contents };
    }
    default:
      return assertNever(entry);
  }
}
