/** Decides, from how a command ended, what went wrong with the run (execution.md §21.2, §21.3). */
import { exitCodeMessage, limitViolations } from '@sheaf/domain';
import type { RunExit } from '@sheaf/runtimes';
import type { RunResources } from '@sheaf/wire';

type Limits = Pick<RunResources, 'time' | 'memory' | 'disk'>;

export interface Usage {
  /** Wall time of the command, seconds. */
  readonly containerSeconds: number;
  /** Bytes in the run directory, as far as known. */
  readonly diskBytes: number;
  /** Highest seen, bytes; undefined where the kernel enforces the limit, and so knows better than any sample. */
  readonly memoryBytes: number | undefined;
}

/** The limits a running command has passed, in the words it is killed with; undefined for none. */
export function violatedLimits({ time, memory, disk }: Limits, usage: Usage): string | undefined {
  return limitViolations({ time, memory, disk }, { ...usage, outOfMemory: false });
}

/** The limits a command had passed when it ended by itself; undefined for none. */
export function exceededLimits(
  { time, memory, disk }: Limits,
  usage: Usage,
  exit: Pick<RunExit, 'outOfMemory'> | null,
): string | undefined {
  return limitViolations({ time, memory, disk }, { ...usage, outOfMemory: exit?.outOfMemory === true });
}

/** What the shell or the runtime said, without the bytes that are no ASCII; null for a command that simply ended. */
export function exitFailure(exit: Pick<RunExit, 'message'> | null): string | null {
  const text = (exit?.message ?? '').replaceAll(notShown, '').trim();
  return text === '' ? null : text;
}

/** Neither the command nor its limits have ended it, or nobody knows what has. */
export function endedFromOutside(exit: Pick<RunExit, 'exitCode' | 'interrupted'> | null): boolean {
  return exit !== null && (exit.exitCode === null || exit.interrupted === true);
}

/**
 * Whether a run that met a full disk is to blame for it: one that keeps within what it asked for is not, nor one that asked for
 * nothing and took less than a tenth of the disk. @param bytes what the run has written, and the size of the disk
 */
export function hasFilledDisk(
  { disk }: Pick<Limits, 'disk'>,
  bytes: { readonly used: number; readonly total: number },
): boolean {
  return disk === 0 && bytes.used >= bytes.total / 10;
}

/** Whatever the command says about itself: what it could not write any more is missing. */
export function fullDiskFailure(exit: Pick<RunExit, 'exitCode'> | null): string {
  const code = exit?.exitCode ?? 0;
  const end = code === 0 ? '' : `${exitCodeMessage(code)}. `;
  return `${end}The disk of the worker was full before the command ended: what it wrote may be incomplete. Ask for space with --request-disk.`;
}

const notShown = /[^\t\n\r -~]/g;

/** Milliseconds until the next look at a command: a second, or less where its time is over sooner. */
export function nextLook(timeLimit: number, containerSeconds: number): number {
  const left = timeLimit > 0 ? (timeLimit - containerSeconds) * 1000 : Number.POSITIVE_INFINITY;
  return Math.max(10, Math.min(1000, left + 5));
}
