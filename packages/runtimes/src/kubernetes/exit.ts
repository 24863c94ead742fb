/** How a run has ended, as its pod tells it (execution.md §26). */
import { shellMessage } from '../command/shell.ts';
import type { RunExit } from '../port.ts';
import { timeOf, type Pod } from './objects.ts';

/** Undefined: it has not ended. @param log what the shell said outside of the run's own files */
export function exitOf({ status }: Pod, log: string): RunExit | undefined {
  if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') return undefined;
  const ended = status.containerStatuses?.[0]?.state?.terminated;
  if (ended === undefined || ended === null) {
    // Refused or evicted by the node: it may do better elsewhere.
    const words = [status.reason, status.message].filter((word) => (word ?? '') !== '').join(': ');
    return { ...vanished, message: words === '' ? vanished.message : words };
  }
  const { exitCode, reason, message } = ended;
  const said = shellMessage(exitCode, log);
  return {
    exitCode,
    outOfMemory: reason === 'OOMKilled',
    message: exitCode === 0 ? null : (said ?? reasonOf(reason, message)),
    startedAt: timeOf(ended.startedAt),
    finishedAt: timeOf(ended.finishedAt),
  };
}

/** `Error` says no more than the exit code. */
function reasonOf(reason: string | null | undefined, message: string | null | undefined): string | null {
  const words = [reason === 'Error' ? '' : reason, message].filter((word) => (word ?? '') !== '');
  return words.length === 0 ? null : words.join(': ');
}

export const vanished: RunExit = {
  exitCode: null,
  outOfMemory: false,
  message: 'The pod of the run is gone',
  startedAt: null,
  finishedAt: null,
  interrupted: true,
};

/** What keeps a container from starting for good; undefined: nothing does. */
export function startProblem({ status }: Pod): string | undefined {
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  if (!hopeless.has(waiting?.reason ?? '')) return undefined;
  return [waiting?.reason, waiting?.message].filter((word) => (word ?? '') !== '').join(': ');
}

const hopeless = new Set([
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
]);
