/** Commands that are started inside a run of runc: as its own user, in its directory, within its limits. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ChildSession } from '../exec/child-session.ts';
import { commandOnPath, marked } from '../exec/marking.ts';
import type { ExecRequest, ExecSession } from '../port.ts';
import { startSessionProcess } from '../exec/start-process.ts';
import { setTerminalSize, terminalName, withTerminal } from '../exec/terminals.ts';
import { killMarkedInside } from '../sandbox/processes.ts';
import type { BundleConfiguration, BundleProcess } from './bundle.ts';
import type { RuncPaths } from './record.ts';

/** Says which terminal it has, and gives it its size, before runc takes it over. */
const terminalScript = `
rows=$1 columns=$2
shift 2
{ tty && stty rows "$rows" cols "$columns"; } >&3 || exit 1
exec "$@" 3>&-
`;

export interface EnterableRun {
  readonly paths: RuncPaths;
  readonly program: string;
  readonly name: string;
  /** The process that is number 1 inside. */
  readonly first: number;
}

/** @throws RuntimeError the worker lacks a program that is needed */
export async function execInRunc(run: EnterableRun, request: ExecRequest): Promise<ExecSession> {
  const mark = randomBytes(12).toString('hex');
  const file = join(run.paths.directory, `exec-${mark}.json`);
  const { process: own } = JSON.parse(await readFile(run.paths.bundle, 'utf8')) as BundleConfiguration;
  await writeFile(file, JSON.stringify(execProcess(own, request, mark)));
  const runc = [run.program, '--root', run.paths.state, '--log', '/dev/null', 'exec'];
  const words = [...runc, '--process', file, run.name];
  const { terminal } = request;
  let child: ChildProcessWithoutNullStreams;
  try {
    child = await startSessionProcess(
      terminal === null
        ? words
        : withTerminal([
            '/bin/sh',
            '-c',
            terminalScript,
            'enter',
            ...[terminal.rows, terminal.columns].map((count) => String(Math.max(count, 1))),
            ...words,
          ]),
    );
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
  const name = terminal ? await terminalName(child) : undefined;
  const session = new ChildSession(child, {
    kill: () => killMarkedInside(run.first, mark),
    resize: async (size) => {
      if (name !== undefined) await setTerminalSize(name, size);
    },
  });
  const tidy = (): Promise<void> => rm(file, { force: true });
  session.exit.then(tidy, tidy).catch(() => undefined);
  return session;
}

export function execProcess(own: BundleProcess, request: ExecRequest, mark: string): BundleProcess {
  const { command, terminal, environment } = request;
  const added = Object.entries({ ...environment, ...marked(mark) }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const names = new Set(added.map((pair) => pair.split('=', 1)[0]));
  return {
    ...own,
    args: commandOnPath(command),
    env: [...own.env.filter((pair) => !names.has(pair.split('=', 1)[0])), ...added],
    terminal: terminal !== null,
    ...(terminal === null
      ? {}
      : { consoleSize: { height: Math.max(terminal.rows, 1), width: Math.max(terminal.columns, 1) } }),
  };
}
