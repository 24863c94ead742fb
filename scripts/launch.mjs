// `npm start`: installs and builds what is missing, starts the server and one local worker, says when both are ready, and
// keeps them running until Ctrl-C.
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './installed.mjs';
import { root } from './root.mjs';
import { Program } from './program.mjs';

export async function launch() {
  ensureInstalled({ development: false });
  await ensureBuilt();

  const home = resolve(process.env.SHEAF_HOME || join(homedir(), '.sheaf'));
  const logs = join(home, 'logs');
  try {
    mkdirSync(logs, { recursive: true, mode: 0o700 });
  } catch (error) {
    giveUp(
      `Sheaf cannot keep its data in ${home}: ${error.message}. Make it writable, or set SHEAF_HOME to another directory.`,
    );
  }

  const environment = { ...process.env, SHEAF_HOME: home };
  const server = new Program(
    'server',
    [join(root, 'build/server/process.js')],
    environment,
    join(logs, 'server.log'),
  );
  let stopping = false;
  const programs = [server];
  const stopAll = async () => {
    if (stopping) return;
    stopping = true;
    // The worker first, so that it can say goodbye to a server that is still there.
    for (const program of [...programs].reverse()) await program.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stopAll());
  if (process.env.npm_lifecycle_event === 'start') whenParentIsGone(() => void stopAll());

  const { url } = await server.start().catch((error) => giveUp(error.message));
  const worker = new Program(
    'worker',
    [
      join(root, 'build/worker/process.js'),
      '--server',
      url,
      '--credentials',
      join(home, 'administrator.json'),
      '--work-dir',
      join(home, 'worker'),
      '--local-store',
      join(home, 'contents'),
      '--id',
      'local',
    ],
    environment,
    join(logs, 'worker.log'),
  );
  programs.push(worker);
  const { runtime } = await worker.start().catch(async (error) => {
    await server.stop();
    giveUp(error.message);
  });
  if (stopping) return;

  console.log(`Sheaf is ready: ${url}`);
  console.log(`How runs are executed: ${runtime}`);
  console.log(`Next, in another terminal: bin/cl run 'cat /proc/cpuinfo; free; df' --tail`);
  for (const program of programs) program.keepRunning(() => stopping);
}

/** npm does not pass a SIGTERM on to what its shell runs: that shell is gone then, and nobody could stop Sheaf any more. */
function whenParentIsGone(then) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) then();
  }, 1000).unref();
}

function giveUp(sentence) {
  console.error(sentence);
  process.exit(1);
}
