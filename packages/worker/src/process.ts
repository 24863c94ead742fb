/** The program: flags, credentials, signals. Says it is ready, or why not, to whoever started it. */
import { memoryTokenStore, RestClient, SignIn } from '@sheaf/client';
import { nodeTransport, proxySettings, terminalPrompt } from '@sheaf/client/node';
import { hostname } from 'node:os';
import { pino } from 'pino';
import { systemClock } from './clock.ts';
import { logDestination } from './log-destination.ts';
import { messageOf } from './errors.ts';
import { readableLog } from './log-lines.ts';
import { startWorker } from './main.ts';
import { collectGarbage, limitYoungGeneration } from './memory.ts';
import { parseCommandLine, type CommandLine } from './settings/command-line.ts';
import { readCredentials } from './settings/credentials.ts';
import { helpText } from './settings/help.ts';
import { logLevelOf } from './settings/log-level.ts';
import { readSettings } from './settings/read-settings.ts';
import type { Settings } from './settings/settings.ts';

async function run(): Promise<void> {
  limitYoungGeneration();
  const line = parseCommandLine(process.argv.slice(2));
  if (line.has('help')) {
    process.stdout.write(`${helpText()}\n`);
    return;
  }
  const settings = readSettings(line, {
    environment: process.env,
    hostname: hostname(),
    pid: process.pid,
    currentDirectory: process.cwd(),
  });
  const level = logLevelOf(process.env['SHEAF_LOG_LEVEL'], settings.verbose);
  const log = pino(
    { level },
    process.stderr.isTTY ? readableLog((text) => process.stderr.write(text)) : logDestination(),
  );
  for (const flag of line.unknown) {
    process.stderr.write(
      `The flag ${flag} is not known (any more) and is skipped; --help lists those there are.\n`,
    );
  }
  const drain = drainOnSignal();
  const credentials = await readCredentials(line, process.env, terminalPrompt());
  const proxy = proxySettings(process.env);
  const transport = nodeTransport(proxy === undefined ? {} : { proxy });
  const address = settings.server;
  const authentication = new SignIn({
    address,
    transport,
    store: memoryTokenStore(),
    clientId: 'codalab_worker_client',
    credentials: () => Promise.resolve(credentials),
    now: Date.now,
  });
  const worker = await startWorker(settings, {
    client: new RestClient({ address, transport, authentication }),
    authentication,
    environment: process.env,
    secrets: secretFiles(line),
    clock: systemClock,
    random: Math.random,
    log,
    idle: collectGarbage,
  });
  stopOnSignals(() => worker.stop());
  drain.with(() => worker.drain());
  if (process.send === undefined) sayStarted(settings, worker.runtime);
  else process.send({ type: 'ready', runtime: worker.runtime });
  await worker.ended;
  transport.close();
  process.exit(0);
}

/** For people, and for start scripts, which wait for these very words. */
function sayStarted({ id, server, tag }: Settings, runtime: string): void {
  const queue = tag === null ? '' : `, tag ${tag}`;
  process.stdout.write(`Worker started!\n${id} at ${server}${queue}. ${runtime}\n`);
}

function secretFiles(line: CommandLine): string[] {
  return [line.value('password-file'), line.value('credentials')].filter((path) => path !== undefined);
}

/** The first signal ends the worker in order, the second at once. */
function stopOnSignals(stop: () => Promise<void>): void {
  let stopping = false;
  const end = () => {
    if (stopping) process.exit(1);
    stopping = true;
    stop().catch(fail);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, end);
  // Whoever started it is gone: nobody would ever stop it.
  if (process.send !== undefined) process.once('disconnect', end);
}

/**
 * SIGUSR1 has the worker finish what it has and end. It is listened to from the beginning: else Node would open its debugger. One
 * that comes too early counts as well.
 */
function drainOnSignal(): { with: (drain: () => void) => void } {
  let wanted = false;
  let drain = () => {
    wanted = true;
  };
  process.on('SIGUSR1', () => drain());
  return {
    with(action) {
      drain = action;
      if (wanted) action();
    },
  };
}

function fail(error: unknown): void {
  const message = messageOf(error);
  process.stderr.write(`${message}\n`);
  if (process.send === undefined || !process.connected) return process.exit(1);
  process.send({ type: 'failed', message }, () => process.exit(1));
}

run().catch(fail);
