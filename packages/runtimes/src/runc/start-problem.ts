/** Why a run could not be started, from what runc said. */
import { RuntimeError } from '../port.ts';

export interface StartFacts {
  /** The run's limit, in words. */
  readonly memory: string;
  /** The kernel killed something of the run for want of memory. */
  readonly outOfMemory: boolean;
}

export function startProblem(said: string, { memory, outOfMemory }: StartFacts): RuntimeError {
  // runc has removed the group by then, and with it what the kernel counted.
  if (outOfMemory || /OOM-killed|memory limit too low/i.test(said)) {
    return new RuntimeError(`The memory limit of ${memory} is too low to start a command`, {
      userError: true,
      cause: new Error(said),
    });
  }
  if (/exec format error/i.test(said)) {
    return new RuntimeError('The image is made for another kind of processor than this machine has', {
      userError: true,
      cause: new Error(said),
    });
  }
  const userError = /argument list too long/i.test(said);
  return new RuntimeError(`The container could not be started: ${lastLine(said)}`, {
    userError,
    cause: new Error(said),
  });
}

/** runc says it twice, in a line of its log and in plain words. */
function lastLine(said: string): string {
  return said.trim().split('\n').at(-1)?.trim() ?? '';
}
