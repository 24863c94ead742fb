/*
 * A PostgreSQL cluster of its own for the tests of this process, started when first asked for. It ends and is removed when the
 * pipe to it closes, however this process ends.
 */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const installations = '/usr/lib/postgresql';

/** Where the newest PostgreSQL of this machine is; undefined where there is none. */
export function postgresqlPrograms(): string | undefined {
  if (!existsSync(installations)) return undefined;
  const newest = readdirSync(installations).toSorted((one, other) => Number(other) - Number(one))[0];
  return newest === undefined ? undefined : join(installations, newest, 'bin');
}

let cluster: Promise<{ port: number }> | undefined;

/** A fresh database; its URL. */
export async function createPostgresqlDatabase(): Promise<string> {
  cluster ??= startCluster();
  const { port } = await cluster;
  const name = `sheaf_${randomBytes(6).toString('hex')}`;
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: urlOf(port, 'postgres') });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  return urlOf(port, name);
}

function urlOf(port: number, database: string): string {
  return `postgresql://sheaf@127.0.0.1:${port}/${database}`;
}

async function startCluster(): Promise<{ port: number }> {
  const programs = postgresqlPrograms();
  if (programs === undefined) throw new Error(`There is no PostgreSQL below ${installations}.`);
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-postgresql-'));
  const identity = serverIdentity();
  if (identity !== undefined) chownSync(directory, identity.uid, identity.gid);
  const data = join(directory, 'data');
  execFileSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'sheaf', '--auth=trust', '-E', 'UTF8', '--no-sync'],
    {
      ...identity,
      cwd: directory,
      stdio: 'ignore',
    },
  );
  const port = await freePort();
  const script = `"$1" -D "$2" -p "$3" -k "$4" -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off &
    server=$!; cat >/dev/null; kill -QUIT $server; wait $server; rm -rf "$4"`;
  const words = ['-c', script, 'sh', join(programs, 'postgres'), data, String(port), directory];
  const child = spawn('sh', words, {
    ...identity,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.unref();
  // Neither the process nor its pipe keeps the tests from ending.
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref();
  await untilReady(port);
  return { port };
}

/** PostgreSQL refuses to run as root; the Debian package has a user for it. */
function serverIdentity(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function untilReady(port: number): Promise<void> {
  const { default: pg } = await import('pg');
  const deadline = Date.now() + 30_000;
  for (;;) {
    const client = new pg.Client({ connectionString: urlOf(port, 'postgres') });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return address.port;
}
