/**
 * Finds out whether what listens on a port of this host is a process of a sandbox. Runs with network access are on the host's own
 * network: without this, whoever may read a run could talk to every service of the host through it.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';
import type { ReachablePort } from '../port.ts';
import { ignoringGone } from './gone.ts';
import { processesInside } from './processes.ts';

export interface Listener {
  readonly family: 4 | 6;
  /** As in /proc: hexadecimal digits. */
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

const listening = '0A';

/** The listening sockets of a table such as /proc/net/tcp. */
export function parseListeners(table: string, family: 4 | 6): Listener[] {
  return table.split('\n').flatMap((line): Listener[] => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local.split(':');
    return state === listening ? [{ family, address, port: Number.parseInt(port, 16), inode }] : [];
  });
}

/**
 * Where a listener of the run can be reached. Undefined where none listens on the port, or where a connection could also end at
 * somebody else's: then it is not for the run to say.
 * @param owned inodes of the run's sockets
 */
export function reachableListener(
  listeners: readonly Listener[],
  owned: ReadonlySet<string>,
  port: number,
): ReachablePort | undefined {
  const there = listeners.filter((listener) => listener.port === port);
  if (!there.every(({ inode }) => owned.has(inode))) {
    return undefined;
  }
  const [listener] = there;
  return listener === undefined ? undefined : { host: hostOf(listener), port };
}

/** @param first the process that is number 1 in the sandbox */
export async function listenerInside(first: number, port: number): Promise<ReachablePort | undefined> {
  const [four, six] = await Promise.all([tableOf(first, 'tcp'), tableOf(first, 'tcp6')]);
  const listeners = [...parseListeners(four, 4), ...parseListeners(six, 6)];
  if (!listeners.some((listener) => listener.port === port)) {
    return undefined;
  }
  return reachableListener(listeners, await socketsOf(await processesInside(first)), port);
}

async function tableOf(pid: number, name: string): Promise<string> {
  return (await ignoringGone(() => readFile(`/proc/${pid}/net/${name}`, 'utf8'))) ?? '';
}

async function socketsOf(pids: readonly number[]): Promise<Set<string>> {
  const inodes = new Set<string>();
  for (const pid of pids) {
    for (const descriptor of (await ignoringGone(() => readdir(`/proc/${pid}/fd`))) ?? []) {
      const target = await ignoringGone(() => readlink(`/proc/${pid}/fd/${descriptor}`));
      const inode = /^socket:\[(?<inode>\d+)\]$/.exec(target ?? '')?.groups?.['inode'];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

function hostOf({ family, address }: Listener): string {
  if (/^0+$/.test(address)) {
    return family === 4 ? '127.0.0.1' : '::1';
  }
  const bytes = (address.match(/.{8}/g) ?? []).flatMap((word) => {
    const four = Buffer.from(word, 'hex');
    return [...(endianness() === 'LE' ? four.reverse() : four)];
  });
  if (family === 4) {
    return bytes.join('.');
  }
  return Array.from({ length: 8 }, (_, index) =>
    ((bytes[2 * index] ?? 0) * 256 + (bytes[2 * index + 1] ?? 0)).toString(16),
  ).join(':');
}
