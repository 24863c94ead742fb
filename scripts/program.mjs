// One of the programs that `npm start` keeps running: started, waited for until it says it is ready, restarted when it dies, stopped.
import { spawn } from 'node:child_process';
import { smallMemory } from './small-memory.mjs';
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';

const logLimit = 20 * 1024 * 1024;

export class Program {
  /**
   * @param {string} name for people
   * @param {string[]} words the arguments of node
   * @param {Record<string, string | undefined>} environment
   * @param {string} logFile where its output goes
   */
  constructor(name, words, environment, logFile) {
    this.name = name;
    this.words = words;
    this.environment = environment;
    this.logFile = logFile;
  }

  /** Resolves with the message the program sends once it is ready; rejects with a sentence for the user. */
  start() {
    rotate(this.logFile);
    const log = openSync(this.logFile, 'a', 0o600);
    const begin = statSync(this.logFile).size;
    // A group of its own: Ctrl-C reaches the launcher only, which stops the programs in order.
    this.child = spawn(process.execPath, [...smallMemory.flags(this.name), ...this.words], {
      env: { ...smallMemory.environment, ...this.environment },
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
    closeSync(log);
    const child = this.child;
    this.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    return new Promise((resolve, reject) => {
      child.on('message', (message) => {
        if (message.type === 'ready') resolve(message);
        if (message.type === 'failed') reject(new Error(message.message));
      });
      child.once('error', reject);
      void this.ended.then(({ code, signal }) => {
        const said = lastPlainLine(readFileSync(this.logFile).subarray(begin).toString());
        reject(
          new Error(
            said ?? `The ${this.name} ended at once (${signal ?? `exit ${code}`}); ${this.logFile} says why.`,
          ),
        );
      });
    });
  }

  /** Starts the program again, with growing pauses, whenever it dies by itself. */
  keepRunning(isStopping) {
    let pause = 200;
    const watch = async () => {
      const startedAt = Date.now();
      const { code, signal } = await this.ended;
      if (isStopping()) return;
      if (Date.now() - startedAt > 60_000) pause = 200;
      console.error(
        `The ${this.name} ended (${signal ?? `exit ${code}`}) and is started again; ${this.logFile} says why.`,
      );
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, 10_000);
      if (isStopping()) return;
      await this.start().catch((error) => console.error(error.message));
      void watch();
    };
    void watch();
  }

  /** Asks the program to end and waits; after ten seconds it is killed. */
  async stop() {
    if (this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    const lastResort = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.ended;
    clearTimeout(lastResort);
  }
}

function rotate(file) {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined && found.size > logLimit) renameSync(file, `${file}.1`);
}

/** The last line that is a sentence for people, not a JSON log record. */
function lastPlainLine(text) {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('{'))
    .at(-1);
}
