/** A real PostgreSQL: a cluster of the test's own on a random port. */
import { mkdtemp, chown, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isErrno } from '../errno.ts';
import { runProcess, startProcess, type ProcessOptions, type StartedProcess } from '../processes.ts';
import { findProgram, installPackage } from './packages.ts';
import { requirement } from './requirement.ts';
import { SkipReason } from './skip-reason.ts';

export interface Postgres {
  /** Makes an empty database and answers its URL. */
  freshDatabase(): Promise<string>;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
}

const service = 'PostgreSQL';

async function available(): Promise<void> {
  if ((await findPrograms()) === undefined) {
    await installPackage(service, 'postgresql');
    if ((await findPrograms()) === undefined) {
      throw new SkipReason(service, 'its programs are nowhere to be found');
    }
  }
}

/** Directory of its programs. @throws SkipReason */
export async function postgresPrograms(): Promise<string> {
  await available();
  const programs = await findPrograms();
  if (programs === undefined) {
    throw new SkipReason(service, 'its programs are nowhere to be found');
  }
  return programs;
}

/** A server with the durability of a real one (fsync on). */
export const requirePostgres = requirement<Postgres>(available, startPostgres);

async function startPostgres(): Promise<Postgres> {
  const programs = await postgresPrograms();
  const directory = await mkdtemp(join(tmpdir(), 'sheaf-postgres-'));
  const owner = await serverUser();
  if (owner.uid !== undefined && owner.gid !== undefined) {
    await chown(directory, owner.uid, owner.gid);
  }
  const options = { ...owner, cwd: directory };
  const data = join(directory, 'data');
  await runProcess(
    join(programs, 'initdb'),
    ['--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C.UTF-8', data],
    options,
  );
  const { child, port } = await serve(programs, data, directory, options);
  let databases = 0;
  return {
    async freshDatabase() {
      databases += 1;
      const name = `test_${databases}`;
      await runProcess(join(programs, 'createdb'), ['-h', '127.0.0.1', '-p', port, '-U', 'postgres', name]);
      return `postgres://postgres@127.0.0.1:${port}/${name}`;
    },
    async stop() {
      // "Fast": connections that a failed test left open do not hold it up.
      await child.stop('SIGINT');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A port that was free may be taken a moment later: then another one. */
async function serve(
  programs: string,
  data: string,
  sockets: string,
  options: ProcessOptions,
): Promise<{ child: StartedProcess; port: string }> {
  for (let attempt = 0; ; attempt += 1) {
    const port = String(await freePort());
    const child = startProcess(
      join(programs, 'postgres'),
      ['-D', data, '-h', '127.0.0.1', '-p', port, '-k', sockets, '-c', 'fsync=on'],
      // It ends its children itself; a signal to all of them at once means something else.
      { ...options, detached: false },
    );
    try {
      await child.waitForOutput(/database system is ready to accept connections/);
      return { child, port };
    } catch (error) {
      await child.stop('SIGQUIT');
      if (attempt === 3 || !child.output.includes('Address already in use')) {
        throw error;
      }
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Directory of the newest version's programs. */
async function findPrograms(): Promise<string | undefined> {
  const root = '/usr/lib/postgresql';
  try {
    const versions = (await readdir(root)).map(Number).filter((version) => !Number.isNaN(version));
    const newest = versions.sort((left, right) => right - left)[0];
    return newest === undefined ? undefined : join(root, String(newest), 'bin');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) {
      throw error;
    }
    const program = findProgram('initdb');
    return program === undefined ? undefined : join(program, '..');
  }
}

/** PostgreSQL refuses to run as root: its package brings a user for it. */
async function serverUser(): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) {
    return {};
  }
  const number = async (flag: string): Promise<number> => Number(await runProcess('id', [flag, 'postgres']));
  return { uid: await number('-u'), gid: await number('-g') };
}
