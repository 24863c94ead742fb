/* The one place that puts the parts of the server together: opens everything, listens, and closes it again in order. */
import { access, constants, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { logDestination } from './log-destination.ts';
import { z } from 'zod';
import { makePrivateDirectory } from './files/private-directory.ts';
import { writePrivateFile } from './files/private-file.ts';
import { createApp, type App } from './http/app.ts';
import { openServices, type OpenServices } from './open-services.ts';
import { createExecution, type Execution } from './runs/execution.ts';
import type { Settings } from './settings/settings.ts';
import { StartError, startErrorOf } from './start-error.ts';

/** Connections that wait to be taken: after a start, all workers come at once; one that finds no place tries again after seconds. */
const backlog = 4096;

export interface RunningServer {
  /** How programs on this machine reach it. */
  url: string;
  /** Answers what is held, finishes what is being done (for two seconds at most) and closes everything. */
  close(): Promise<void>;
}

const closingTime = 1500;

const serverFile = z.object({ url: z.string(), pid: z.number(), version: z.string() });

/**
 * Starts a server: database and contents in the home directory, REST on the port, the scheduler. Says nothing but logs, and
 * writes `<home>/server.json` once it listens.
 * @throws StartError one sentence about what is in the way
 */
export async function startServer(
  settings: Settings,
  log: Logger = pino({ level: settings.logLevel }, logDestination()),
): Promise<RunningServer> {
  await refuseUnusableHome(settings.home);
  await refuseSecondServer(settings);
  const opened = await attempting(settings, () => openServices(settings, { log }));
  const execution = createExecution(opened.services);
  let app: App | undefined;
  try {
    app = await createApp(opened.services, execution);
    await app.listen({ host: settings.host, port: settings.port, backlog });
    await execution.start();
    const url = urlOf(settings.host, app.server.address() as AddressInfo);
    await writePrivateFile(
      fileOf(settings),
      `${JSON.stringify({ url, pid: process.pid, version: settings.protocolVersion })}\n`,
    );
    log.info({ url, home: settings.home }, 'ready');
    const parts = { app, execution, opened, settings, log };
    let closed: Promise<void> | undefined;
    return { url, close: () => (closed ??= closeAll(parts)) };
  } catch (error) {
    await execution.stop();
    await app?.close();
    await opened.close();
    throw startErrorOf(error, settings);
  }
}

interface Parts {
  app: App;
  execution: Execution;
  opened: OpenServices;
  settings: Settings;
  log: Logger;
}

async function closeAll({ app, execution, opened, settings, log }: Parts): Promise<void> {
  log.info('stopping');
  // Long transfers do not keep the server up: clients go on with them when it is back.
  const lastResort = setTimeout(() => app.server.closeAllConnections(), closingTime);
  try {
    await Promise.all([app.close(), execution.stop()]);
  } finally {
    clearTimeout(lastResort);
    await opened.close();
    await rm(fileOf(settings), { force: true });
  }
  log.info('stopped');
}

function fileOf(settings: Settings): string {
  return join(settings.home, 'server.json');
}

async function attempting<Result>(settings: Settings, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw startErrorOf(error, settings);
  }
}

async function refuseUnusableHome(home: string): Promise<void> {
  try {
    await makePrivateDirectory(home);
    await access(home, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(
      `Sheaf cannot keep its data in ${home} (${reason}): make it writable, or set SHEAF_HOME to another directory.`,
      { cause: error },
    );
  }
}

/** The embedded database belongs to one process: two schedulers on it would start runs twice. */
async function refuseSecondServer(settings: Settings): Promise<void> {
  if (settings.database.engine !== 'sqlite') return;
  const other = await readServerFile(fileOf(settings));
  if (other === undefined || other.pid === process.pid || !(await answers(other.url))) return;
  throw new StartError(
    `A server for ${settings.home} is running already at ${other.url} (process ${other.pid}): stop it first, or set SHEAF_HOME to another directory.`,
  );
}

async function readServerFile(file: string): Promise<z.output<typeof serverFile> | undefined> {
  try {
    return serverFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // Absent or half written by something else: nobody can be found by it.
    return undefined;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

function urlOf(host: string, address: AddressInfo): string {
  const everywhere = host === '0.0.0.0' || host === '::';
  const name = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${address.port}`;
}
