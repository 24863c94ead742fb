/** What of the host a sandbox shows: system directories by name, everything else stays out. */
import { existsSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../files/errno.ts';

export type SystemEntry =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

/** Programs, libraries and their settings; places where clusters keep software. Never home, var, run, srv, mnt or data. */
const systemNames = new Set([
  'usr',
  'bin',
  'sbin',
  'lib',
  'lib32',
  'lib64',
  'libx32',
  'libexec',
  'etc',
  'opt',
  'nix',
  'gnu',
  'snap',
  'cvmfs',
  'sw',
  'software',
  'apps',
]);

/** System directories of a host in the order of their names. */
export function systemEntries(root = '/'): SystemEntry[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => systemNames.has(entry.name))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry): SystemEntry[] => {
      const path = join(root, entry.name);
      if (entry.isSymbolicLink()) {
        return [{ kind: 'link', path, to: readlinkSync(path) }];
      }
      return entry.isDirectory() ? [{ kind: 'directory', path }] : [];
    });
}

export interface HiddenPath {
  readonly path: string;
  readonly kind: 'directory' | 'file';
}

/** The paths to hide that lie inside a system directory: all others are out of sight anyway. */
export function hiddenInside(
  paths: readonly string[],
  entries: readonly SystemEntry[],
): readonly HiddenPath[] {
  return paths.flatMap((path): HiddenPath[] => {
    const real = realPath(path);
    if (
      real === undefined ||
      !entries.some((entry) => entry.kind === 'directory' && isBelow(real, entry.path))
    ) {
      return [];
    }
    return [{ path: real, kind: statSync(real).isDirectory() ? 'directory' : 'file' }];
  });
}

/** What numerical libraries read to choose their number of threads. */
export function kernelDirectories(): string[] {
  return ['/sys/devices/system'].filter((path) => existsSync(path));
}

/** Target of a link to name servers that points out of the system directories (systemd-resolved keeps it in /run). */
export function nameServerFile(): string | undefined {
  const real = realPath('/etc/resolv.conf');
  return real === undefined || real.startsWith('/etc/') ? undefined : real;
}

export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return undefined;
    }
    throw error;
  }
}
