/** The program: flags, credentials, signals; says in plain words why it does not start (execution.md §27). */
import { terminalPrompt } from '@sheaf/client/node';
import { randomBytes } from 'node:crypto';
import { longestWait, systemClock } from './clock.ts';
import { manageWorkers, NotSignedIn } from './main.ts';
import { openPool, typeFlags } from './open-pool.ts';
import { isChild, restartCode, superviseRestarts } from './restart.ts';
import { parseCommandLine } from './settings/command-line.ts';
import { readCredentials } from './settings/credentials.ts';
import { helpText } from './settings/help.ts';
import { readSettings } from './settings/settings.ts';

/** Matched by scripts (execution.md §27.2). */
const wrongPassword = 'Invalid username or password. Please try again:';

/** Answers the exit code. */
async function run(words: readonly string[]): Promise<number> {
  const line = parseCommandLine(words, typeFlags);
  if (line.has('help') || line.type === undefined) {
    process.stdout.write(`${helpText(line.type, typeFlags)}\n`);
    return 0;
  }
  const settings = readSettings(line);
  const opened = await openPool(line.type, line, settings);
  const uniqueId = () => randomBytes(6).toString('hex');
  if (opened.preview !== undefined) {
    process.stdout.write(opened.preview({ id: `${opened.idPrefix}${uniqueId()}` }));
    return 0;
  }
  const { restartAfterSeconds } = settings;
  if (restartAfterSeconds !== null && !settings.once && !isChild(process.env)) {
    return superviseRestarts(process.argv[1] ?? '', words);
  }
  const credentials = await readCredentials(settings, process.env, terminalPrompt());
  const stop = stopSignal();
  const restart =
    restartAfterSeconds === null
      ? []
      : [AbortSignal.timeout(Math.min(restartAfterSeconds * 1000, longestWait))];
  const signal = AbortSignal.any([stop, ...restart]);
  await manageWorkers(
    settings,
    opened,
    credentials,
    { environment: process.env, clock: systemClock, uniqueId, say },
    signal,
  );
  if (signal.aborted && !stop.aborted) return restartCode;
  if (stop.aborted) {
    say(`Ended. Workers go on, and end when they have had no run for ${settings.worker.idleSeconds} s.`);
  }
  return 0;
}

/** The first signal ends the program in order, the second at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const end = () => {
    if (controller.signal.aborted) process.exit(1);
    controller.abort();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, end);
  if (process.send !== undefined) process.once('disconnect', end);
  return controller.signal;
}

function say(text: string): void {
  process.stdout.write(`${new Date().toISOString().slice(0, 19).replace('T', ' ')} ${text}\n`);
}

function report(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n`);
  if (!(error instanceof NotSignedIn)) return 1;
  process.stdout.write(`${wrongPassword}\n`);
  return 0;
}

run(process.argv.slice(2))
  .catch(report)
  .then(
    (code) => process.exit(code),
    () => process.exit(1),
  );
