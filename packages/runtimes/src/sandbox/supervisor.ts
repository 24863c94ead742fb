/**
 * The process that outlives the worker: a few lines of shell that start the sandbox, wait for it, and write down its exit
 * status. Shell, not Node: it costs a millisecond and half a megabyte a run.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { saysSomething } from '../command/first-word.ts';
import { RuntimeError } from '../port.ts';
import { readLog, type RunPaths } from './record.ts';

/** Descriptors the scripts agree on. */
export const descriptors = { started: 3, times: 7, info: 8, alive: 9 } as const;

// Opening the pipe for both directions does not wait for a reader. A command that kills its process group (`kill 0`) reaches those of
// it who are outside of the sandbox, too: the supervisor is in another one. Only the inner shell joins the control groups: a run that
// uses up its memory must not take its supervisor along. util-linux before 2.39 ends with status 1 when what it started was
// killed; a run that was stopped is told apart by the mark that the stop left. Room for the status is taken at the start: the
// command may leave none. So is room for the word of who is 1 inside: bubblewrap that cannot write it gives up, but not the process
// it has made, which would hold all pipes and wait for ever. What is left in the groups after the end is such a remainder.
const supervisorScript = `
state=$1 groups=$2
shift 2
echo $$ >"$state/supervisor" && echo '   ' >"$state/exit" && printf '%256s' '' >"$state/info" && { [ -p "$state/alive" ] || mkfifo -m 600 "$state/alive"; } && exec ${descriptors.alive}<>"$state/alive" || exit 1
(
  read -r leader </proc/self/stat && echo "$leader" >"$state/leader" || exit 1
  for group in $groups; do
    echo 0 >"$group" || exit 1
  done
  exec setsid "$@"
) </dev/null >"$state/log" 2>&1 ${descriptors.times}>"$state/times" ${descriptors.info}<>"$state/info"
code=$?
for group in $groups; do
  while read -r pid; do kill -9 "$pid" 2>/dev/null; done <"$group"
done
[ $code = 1 ] && [ -e "$state/stopped" ] && code=137
printf '%3d\\n' $code 1<>"$state/exit"
`;

/**
 * Inside the sandbox, as the run's user: limits, the word that everything is in place, and the command.
 * Parameters: kibibytes of data (0: unlimited), processes (0: unlimited), where to start, the command. The directory may be closed
 * to everybody else, so that whoever sets up the sandbox cannot enter it. Where no control group counts, this shell stays and
 * says what its child has used: bubblewrap does not wait for its own. The worker that waits for the word may be dead: the next one
 * finds the command running.
 */
const stageScript = `
[ "$1" = 0 ] || ulimit -d "$1" || exit 1
[ "$2" = 0 ] || ulimit -u "$2" 2>/dev/null || ulimit -p "$2" 2>/dev/null
cd "$3" || exit 1
counted=$4
shift 4
trap '' PIPE
printf s 2>/dev/null >&${descriptors.started}
trap - PIPE
exec ${descriptors.started}>&- ${descriptors.info}>&- ${descriptors.alive}>&-
[ $counted = yes ] && exec "$@" ${descriptors.times}>&-
"$@" ${descriptors.times}>&-
code=$?
times >&${descriptors.times}
exit $code
`;

export interface StageOptions {
  /** Where the command starts, as it sees it. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Bytes of data of each process, where no control group counts for all; 0: unlimited. */
  readonly dataLimit: number;
  /** Processes and threads of the run's user, where no control group counts those of the run; 0: unlimited. */
  readonly processLimit: number;
  /** A control group counts what the run uses. */
  readonly counted: boolean;
}

/**
 * The command to run inside a sandbox. The run's environment begins here, after rights were given up: a library that it asks to
 * preload must not be loaded by anything that still has them.
 */
export function stagedCommand(script: readonly string[], options: StageOptions): string[] {
  // Bash counts in milliseconds, other shells in hundredths of a second.
  const [shell = '/bin/sh'] = script;
  const pairs = Object.entries(options.environment).map(([name, value]) => `${name}=${value}`);
  return ['/usr/bin/env', '-i', ...pairs, ...stage(options.counted ? '/bin/sh' : shell, script, options)];
}

/** The same, in an environment that is the run's already. */
export function stage(
  shell: string,
  script: readonly string[],
  options: Omit<StageOptions, 'environment'>,
): string[] {
  const limit = options.dataLimit === 0 ? '0' : String(Math.ceil(options.dataLimit / 1024));
  const counted = options.counted ? 'yes' : 'no';
  const words = [limit, String(options.processLimit), options.directory, counted];
  return [shell, '-c', stageScript, 'run', ...words, ...script];
}

export interface Supervision {
  readonly paths: RunPaths;
  /** Files of the control groups to join. */
  readonly groups: readonly string[];
  readonly command: readonly string[];
  /** For the program that makes what the run is in, besides the usual paths. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Starts the supervisor and resolves when the command runs inside the sandbox.
 * @param thing what it runs in, for people
 * @throws RuntimeError the sandbox could not be made; with what the tool said
 */
export async function supervise(supervision: Supervision, thing: string, signal: AbortSignal): Promise<void> {
  const { paths } = supervision;
  const child = startSupervisor(supervision);
  const pipe = child.stdio[descriptors.started] as Readable;
  const abort = (): void => killGroup(child);
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (!(await saysSomething(child, pipe))) {
      signal.throwIfAborted();
      throw new RuntimeError(`The ${thing} could not be started: ${await lastWords(paths)}`, {
        userError: false,
      });
    }
  } finally {
    signal.removeEventListener('abort', abort);
    pipe.destroy();
    child.unref();
  }
}

function startSupervisor({ paths, groups, command, environment }: Supervision): ChildProcess {
  const parameters = ['-c', supervisorScript, 'run', paths.directory, groups.join(' '), ...command];
  return spawn('/bin/sh', parameters, {
    cwd: '/',
    detached: true,
    env: { ...environment, PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
}

/** The supervisor and whoever builds the sandbox for it. */
function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    process.kill(-child.pid, 'SIGKILL');
  }
}

async function lastWords(paths: RunPaths): Promise<string> {
  return readLog(paths)?.trim() || 'its supervisor ended at once';
}
