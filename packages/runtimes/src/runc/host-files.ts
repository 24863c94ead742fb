/** Files that runs have in the place of their image's: names of hosts, and where names are asked for. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../files/errno.ts';

export interface HostFiles {
  readonly all: Readonly<Record<string, string>>;
  /** For runs with network access, besides. */
  readonly network: Readonly<Record<string, string>>;
}

const hosts = '127.0.0.1\tlocalhost run\n::1\tlocalhost ip6-localhost ip6-loopback\n';

/** @param directory of this worker alone */
export async function makeHostFiles(directory: string): Promise<HostFiles> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const path = (name: string): string => join(directory, name);
  await writeFile(path('hosts'), hosts, { mode: 0o644 });
  await writeFile(path('resolv.conf'), nameServers(await resolverFiles()), { mode: 0o644 });
  return { all: { '/etc/hosts': path('hosts') }, network: { '/etc/resolv.conf': path('resolv.conf') } };
}

/** Answered where the machine names no server that a run could ask: those of a public service, as engines do. */
const publicServers = 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n';

/**
 * What a run is told of name servers: the machine's, but for those on the machine itself, which no run reaches.
 * @param files in the order of preference
 */
export function nameServers(files: readonly string[]): string {
  for (const text of files) {
    const lines = text.split('\n').filter((line) => !/^\s*nameserver\s+(?:127\.|::1|fe80)/.test(line));
    if (lines.some((line) => /^\s*nameserver\s/.test(line))) return `${lines.join('\n').trimEnd()}\n`;
  }
  return publicServers;
}

/** systemd-resolved keeps the real servers apart from the file with its own address. */
async function resolverFiles(): Promise<string[]> {
  const texts = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'].map(async (file) => {
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return '';
      throw error;
    }
  });
  return Promise.all(texts);
}
