/**
 * Who uses which networks on this host. A worker claims those of its prefix for as long as its process lives, by listening on a
 * socket without a file: the kernel takes the claim back when the process dies, however it does.
 */
import { readFile, readlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { isErrno } from '../files/errno.ts';

const namespace = 'sheaf-network';
let count = 0;

export interface Claim {
  release(): Promise<void>;
}

/** @param key of a pair of networks. Answers undefined where the system has no such sockets: then nobody can tell. */
export async function claimNetworks(key: string): Promise<Claim | undefined> {
  if (process.platform !== 'linux') {
    return undefined;
  }
  const server = createServer((connection) => connection.destroy());
  count += 1;
  await listening(server, `\0${namespace}/${key}/${process.pid}-${count}`);
  // Nobody stays alive for a claim.
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** The keys that live processes claim. */
export async function claimedNetworks(): Promise<ReadonlySet<string>> {
  const sockets = await readFile('/proc/net/unix', 'utf8');
  return new Set([...sockets.matchAll(/ @sheaf-network\/([^/\s]+)\//g)].map(([, key]) => key ?? ''));
}

/** The processes that see each other's claims: names this boot of this host, or of this container. Undefined: nobody does. */
export async function claimScope(): Promise<string | undefined> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${await readlink('/proc/self/ns/net')}`;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return undefined;
    }
    throw error;
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}
