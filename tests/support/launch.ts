/* Starts the programs of an installation, and waits until they say that they are ready. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { smallMemory } from '../../scripts/small-memory.mjs';
import { root } from './programs.ts';

export interface Ready {
  readonly type: 'ready';
  readonly url?: string;
  readonly runtime?: string;
}

export interface Launched {
  readonly child: ChildProcess;
  readonly ready: Ready;
}

export interface LaunchOptions {
  /** File that its output is added to. */
  readonly log: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Words in front of the program, such as those that move it to another host. */
  readonly before?: readonly string[];
}

/** @param words a script of `build/` and its flags */
export async function launch(
  name: string,
  words: readonly string[],
  { log: logFile, environment, before = [] }: LaunchOptions,
): Promise<Launched> {
  const log = openSync(logFile, 'a');
  const [program = '', ...all] = [...before, process.execPath, ...smallMemory.flags(name), ...words];
  const child = spawn(program, all, {
    cwd: root,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      ...smallMemory.environment,
      ...environment,
    },
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
  });
  closeSync(log);
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.on('message', (message) => {
      if ((message as { type?: string }).type === 'ready') resolve(message as Ready);
    });
    child.once('exit', () =>
      reject(new Error(`The ${name} did not start:\n${readFileSync(logFile, 'utf8')}`)),
    );
  });
  return { child, ready };
}

/** Ends a process and waits until it is gone. */
export async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}
