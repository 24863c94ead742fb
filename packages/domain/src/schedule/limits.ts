import { formatDuration } from '../units/duration.ts';
import { formatSize } from '../units/size.ts';
import type { RequestSettings, ResourceRequest } from './request.ts';

const reserve = 0.5 * 1024 ** 3;

/**
 * Everything a staged run asks that it can never get (execution.md §12.4, bundles.md §16.4): the run fails with these texts,
 * joined by `. `. Needs more than any worker of the moment has are no failure: workers come and go.
 *
 * @param left the owner's quota that is left: time in seconds, disk in bytes. A bound of exactly 0 is no bound.
 */
export function limitProblems(
  request: Pick<ResourceRequest, 'disk' | 'time' | 'memory'>,
  settings: Pick<RequestSettings, 'maxTime' | 'maxDisk' | 'maxMemory' | 'minMemory'>,
  left: { time: number; disk: number },
): string[] {
  const size = (bytes: number): string => formatSize(bytes);
  const problems = [
    exceeds(request.disk, left.disk - reserve)
      ? tooMuch('disk', request.disk, left.disk - reserve, 'user disk quota left', size)
      : overMaximum('disk size', request.disk, settings.maxDisk, size),
    exceeds(request.time, left.time)
      ? tooMuch('time', request.time, left.time, 'user time quota left', formatDuration)
      : overMaximum('time', request.time, settings.maxTime, formatDuration),
    exceeds(request.memory, settings.maxMemory)
      ? tooMuch('memory', request.memory, settings.maxMemory, 'maximum limit', size)
      : undefined,
    request.memory !== 0 && request.memory < settings.minMemory
      ? `Requested less memory (${size(request.memory)}) than minimum limit (${size(settings.minMemory)}) by ${size(settings.minMemory - request.memory)}`
      : undefined,
  ];
  return problems.filter((problem) => problem !== undefined);
}

function exceeds(value: number, bound: number): boolean {
  return value !== 0 && bound !== 0 && value > bound;
}

function tooMuch(
  what: string,
  value: number,
  bound: number,
  boundName: string,
  format: (value: number) => string,
): string {
  return `Requested more ${what} (${format(value)}) than ${boundName} (${format(bound)}) by ${format(value - bound)}`;
}

function overMaximum(
  what: string,
  value: number,
  maximum: number,
  format: (value: number) => string,
): string | undefined {
  return exceeds(value, maximum)
    ? `Maximum job ${what} (${format(maximum)}) exceeded (${format(value)})`
    : undefined;
}
