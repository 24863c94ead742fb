import { formatDuration } from '../units/duration.ts';
import { formatSize } from '../units/size.ts';

/** The texts that say why a run did not succeed (execution.md §17.4, §21.2, §30); clients match them. */

export function exitCodeMessage(exitcode: number): string {
  return `Exit code ${exitcode}`;
}

/** What the server stores when a worker reports an exit code without an explanation (execution.md §10.3). */
export function reportedFailure(report: {
  failureMessage?: string | null | undefined;
  exitcode?: number | null | undefined;
}): string | undefined {
  const message = report.failureMessage ?? '';
  if (message !== '') return message;
  const exitcode = report.exitcode ?? 0;
  return exitcode === 0 ? undefined : exitCodeMessage(exitcode);
}

/** Joins what failed by itself with why it was killed; undefined when there is neither. */
export function failureWithKill(
  failureMessage: string | null | undefined,
  killMessage: string | null | undefined,
): string | undefined {
  const parts = [failureMessage ?? '', killMessage ?? ''].filter((part) => part !== '');
  return parts.length === 0 ? undefined : parts.join('. ');
}

/** Adds that the results could not be stored. */
export function failureWithUploadError(failureMessage: string | null | undefined, error: string): string {
  const upload = `Error while uploading: ${error}`;
  return failureWithKill(failureMessage, upload) ?? upload;
}

/** @param seconds the wall time so far and the limit. */
export function timeLimitMessage(seconds: { used: number; limit: number }): string {
  return `Time limit exceeded. (Container uptime ${formatDuration(seconds.used)} > time limit ${formatDuration(seconds.limit)})`;
}

export function memoryLimitMessage(limitBytes: number): string {
  return `Memory limit ${formatSize(limitBytes)} exceeded.`;
}

/** The `b` behind the size is the original's, and tests look for it. */
export function diskLimitMessage(limitBytes: number): string {
  return `Disk limit ${formatSize(limitBytes)}b exceeded.`;
}

export interface RunLimits {
  /** Seconds; 0 for none. */
  time: number;
  /** Bytes; 0 for none. */
  memory: number;
  disk: number;
}

export interface RunUsage {
  containerSeconds: number;
  /** Bytes in the run's directory. */
  diskBytes: number;
  /** Highest seen; undefined when it cannot be measured. */
  memoryBytes: number | undefined;
  /** The kernel or the engine says the command was killed for its memory. An exit code of 137 alone says nothing. */
  outOfMemory: boolean;
}

/** Every limit the run has passed, in one text, or undefined (execution.md §21.2): the run is killed with it. */
export function limitViolations(limits: RunLimits, usage: RunUsage): string | undefined {
  const tooLong = limits.time > 0 && usage.containerSeconds > limits.time;
  const tooHeavy = limits.memory > 0 && (usage.memoryBytes ?? 0) > limits.memory;
  const tooBig = limits.disk > 0 && usage.diskBytes > limits.disk;
  const texts = [
    tooLong ? timeLimitMessage({ used: usage.containerSeconds, limit: limits.time }) : '',
    tooHeavy || usage.outOfMemory ? memoryLimitMessage(limits.memory) : '',
    tooBig ? diskLimitMessage(limits.disk) : '',
  ].filter((text) => text !== '');
  return texts.length === 0 ? undefined : texts.join(' ');
}
