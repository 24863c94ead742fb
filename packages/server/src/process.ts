/* The program: settings from the environment, a server, signals. Says it is ready, or why not, to whoever started it. */
import { startServer } from './main.ts';
import { readSettings } from './settings/settings.ts';

async function run(): Promise<void> {
  const server = await startServer(readSettings(process.env));
  const stop = () => {
    server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, stop);
  if (process.send === undefined) return;
  // Whoever started it is gone: nobody would ever stop it.
  process.once('disconnect', stop);
  process.send({ type: 'ready', url: server.url });
}

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
  if (process.send === undefined || !process.connected) return process.exit(1);
  process.send({ type: 'failed', message }, () => process.exit(1));
}

run().catch(fail);
