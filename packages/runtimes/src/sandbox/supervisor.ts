/**
 * The process that outlives the worker: a few lines of shell that start the sandbox, wait for it, and write down its exit
 * status. Shell, not Node: it costs a millisecond and half a megabyte a run.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { RuntimeError } from '../port.ts';
import { readOrUndefined, type RunPaths } from './record.ts';

/** Descriptors the scripts agree on. */
export const descriptors = { started: 3, info: 8, alive: 9 } as const;

// Opening the pipe for both directions does not wait for a reader. Only the inner shell joins the control groups: a run that
// uses up its memory must not take its supervisor along. util-linux before 2.39 ends with status 1 when what it started was
// killed; a run that was stopped is told apart by the mark that the stop left.
const supervisorScript = `
state=$1 groups=$2
shift 2
echo $$ >"$state/supervisor" && mkfifo -m 600 "$state/alive" && exec ${descriptors.alive}<>"$state/alive" || exit 1
(
  for group in $groups; do
    echo 0 >"$group/cgroup.procs" || exit 1
  done
  exec "$@"
) </dev/null >"$state/log" 2>&1 ${descriptors.info}>"$state/info"
code=$?
[ $code = 1 ] && [ -e "$state/stopped" ] && code=137
echo $code >"$state/exit"
`;

/**
 * Inside the sandbox, as the run's user: limits, the word that everything is in place, and the command.
 * Parameters: kibibytes of data (0: unlimited), where to start, the command. The directory may be closed to everybody else,
 * so that whoever sets up the sandbox cannot enter it.
 */
const stageScript = `
[ "$1" = 0 ] || ulimit -d "$1" || exit 1
cd "$2" || exit 1
shift 2
printf s >&${descriptors.started}
exec "$@" ${descriptors.started}>&- ${descriptors.info}>&- ${descriptors.alive}>&-
`;

export interface StageOptions {
  /** Where the command starts, as it sees it. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Bytes of data of each process, where no control group counts for all; 0: unlimited. */
  readonly dataLimit: number;
}

/**
 * The command to run inside a sandbox. The run's environment begins here, after rights were given up: a library that it asks to
 * preload must not be loaded by anything that still has them.
 */
export function stagedCommand(script: readonly string[], options: StageOptions): string[] {
  const pairs = Object.entries(options.environment).map(([name, value]) => `${name}=${value}`);
  const limit = options.dataLimit === 0 ? '0' : String(Math.ceil(options.dataLimit / 1024));
  return [
    '/usr/bin/env',
    '-i',
    ...pairs,
    '/bin/sh',
    '-c',
    stageScript,
    'run',
    limit,
    options.directory,
    ...script,
  ];
}

export interface Supervision {
  readonly paths: RunPaths;
  /** Control groups to join. */
  readonly groups: readonly string[];
  readonly command: readonly string[];
}

/**
 * Starts the supervisor and resolves when the command runs inside the sandbox.
 * @throws RuntimeError the sandbox could not be made; with what the tool said
 */
export async function supervise(supervision: Supervision, signal: AbortSignal): Promise<void> {
  const { paths } = supervision;
  const child = startSupervisor(supervision);
  const pipe = child.stdio[descriptors.started] as Readable;
  const abort = (): void => killGroup(child);
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (!(await saysSomething(child, pipe))) {
      signal.throwIfAborted();
      throw new RuntimeError(`The sandbox could not be started: ${await lastWords(paths)}`, {
        userError: false,
      });
    }
  } finally {
    signal.removeEventListener('abort', abort);
    pipe.destroy();
    child.unref();
  }
}

function startSupervisor({ paths, groups, command }: Supervision): ChildProcess {
  const parameters = ['-c', supervisorScript, 'run', paths.directory, groups.join(' '), ...command];
  return spawn('/bin/sh', parameters, {
    cwd: '/',
    detached: true,
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
}

/** The supervisor and whoever builds the sandbox for it. */
function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    process.kill(-child.pid, 'SIGKILL');
  }
}

function saysSomething(child: ChildProcess, pipe: Readable): Promise<boolean> {
  return new Promise((resolve, reject) => {
    pipe.once('data', () => resolve(true));
    pipe.once('close', () => resolve(false));
    pipe.once('error', reject);
    child.once('error', reject);
  });
}

async function lastWords(paths: RunPaths): Promise<string> {
  return (await readOrUndefined(paths.log))?.trim() || 'its supervisor ended at once';
}
