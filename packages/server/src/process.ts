/* The program: settings from the environment, a server, signals. Says it is ready, or why not, to whoever started it. */
import { startServer } from './main.ts';
import { readSettings } from './settings/settings.ts';

const help = `Usage: cl-server

Starts the server alone, until Ctrl-C. Its settings are environment variables; the most important ones:

  SHEAF_HOME    directory of all data (~/.sheaf)
  SHEAF_HOST    address to listen on (127.0.0.1); 0.0.0.0 for all
  SHEAF_PORT    port to listen on (2900)

docs/settings.md has all of them. Attach workers with cl-worker --server URL.
`;

async function run(): Promise<void> {
  const [word] = process.argv.slice(2);
  if (word === '--help' || word === '-h') return void process.stdout.write(help);
  if (word !== undefined) {
    throw new Error(
      `cl-server takes no "${word}": its settings are environment variables, which \`cl-server --help\` names.`,
    );
  }
  const server = await startServer(readSettings(process.env));
  const stop = () => {
    server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, stop);
  if (process.send === undefined) return void process.stdout.write(`Sheaf is ready: ${server.url}\n`);
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
