/**
 * The process that outlives the worker: a few lines of shell in a mount namespace of their own that lay the run's root over the
 * image, have runc start the run in it, wait, and write down how it ended. With the last process the namespace goes, and with it
 * the mount: nothing is left on the host, whoever was killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { saysSomething } from '../command/first-word.ts';
import { readLog } from '../sandbox/record.ts';
import { startedDescriptor } from './bundle.ts';
import type { RuncPaths } from './record.ts';

const aliveDescriptor = 9;

// Opening the pipe for both directions does not wait for a reader. Room for the status is taken at the start: the command may leave
// none. What a run changes in its image dies with it: nothing of that has to be brought to the disk (`volatile`, which kernels before
// 5.10 do not know). runc keeps the control group until it is told to forget the run (`--keep`): what was used is read from it.
const supervisorScript = `
cd "$1" && echo $$ >supervisor && echo '   ' >exit && { [ -p alive ] || mkfifo -m 600 alive; } && exec ${aliveDescriptor}<>alive || exit 1
(
  exec ${aliveDescriptor}>&-
  layers=nosuid,nodev,lowerdir=image,upperdir=upper,workdir=work
  mount -t overlay -o volatile,$layers overlay root 2>/dev/null || mount -t overlay -o $layers overlay root || exit 1
  exec "$2" --root runc --log runc.log run --keep --preserve-fds ${startedDescriptor - 2} --bundle . "$3"
) </dev/null >log 2>&1
code=$?
[ $code = 1 ] && [ -e stopped ] && code=137
printf '%3d\\n' $code 1<>exit
`;

export interface RuncCall {
  readonly paths: Pick<RuncPaths, 'directory' | 'log'>;
  /** runc, or what understands its words. */
  readonly program: string;
  readonly name: string;
}

/**
 * Starts the supervisor and resolves when the command runs; with undefined, or with what was said where it could not be started.
 */
export async function superviseRunc(call: RuncCall, signal: AbortSignal): Promise<string | undefined> {
  const child = startSupervisor(call);
  const pipe = child.stdio[startedDescriptor] as Readable;
  const abort = (): void => killSupervisor(child);
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (await saysSomething(child, pipe)) return undefined;
    signal.throwIfAborted();
    return readLog(call.paths)?.trim() || 'its supervisor ended at once';
  } finally {
    signal.removeEventListener('abort', abort);
    pipe.destroy();
    child.unref();
  }
}

function startSupervisor({ paths, program, name }: RuncCall): ChildProcess {
  const shell = ['/bin/sh', '-c', supervisorScript, 'run', paths.directory, program, name];
  return spawn('unshare', ['--mount', '--propagation', 'private', ...shell], {
    cwd: '/',
    detached: true,
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
}

/** And runc, as long as that is setting up. */
function killSupervisor(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    process.kill(-child.pid, 'SIGKILL');
  }
}
