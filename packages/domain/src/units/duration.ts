import { failure, success, type Outcome } from '../outcome.ts';
import { toFixedHalfEven } from './decimal.ts';

/** Durations in seconds; a year has 365 days (bundles.md §4.6, §4.7; execution.md §12.3, §12.5). */

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

const secondsOf: Readonly<Record<string, number>> = { '': 1, s: 1, m: minute, h: hour, d: day, y: year };
const pattern = /^(\d+(?:\.\d+)?|\.\d+)([smhdy]?)$/i;

/**
 * Parses `3`, `3.5`, `1.5H`, `2d` into seconds. Compound forms (`2d4h`), signs and exponents are problems:
 * `Invalid duration: X, expected <number>[<s|m|h|d|y>]`.
 */
export function parseDuration(text: string): Outcome<number> {
  const match = text.endsWith('\n') ? null : pattern.exec(text);
  const seconds = match === null ? Number.NaN : Number(match[1]) * (secondsOf[unit(match[2])] ?? Number.NaN);
  if (!(seconds <= Number.MAX_SAFE_INTEGER)) {
    return failure(`Invalid duration: ${text}, expected <number>[<s|m|h|d|y>]`);
  }
  return success(seconds);
}

function unit(text: string | undefined): string {
  return (text ?? '').toLowerCase();
}

/** Formats seconds with two units at most: `12.3s`, `1m40s`, `2h46m`, `3d2h`, `1y0d`; finer parts are cut off. */
export function formatDuration(seconds: number): string;
export function formatDuration(seconds: number | null): string | null;
export function formatDuration(seconds: number | null): string | null {
  if (seconds === null) return null;
  if (seconds < 0) return `-${formatDuration(-seconds)}`;
  if (seconds < minute) return `${toFixedHalfEven(seconds, 1)}s`;
  if (seconds < hour) return `${Math.floor(seconds / minute)}m${Math.floor(seconds % minute)}s`;
  if (seconds < day) return `${Math.floor(seconds / hour)}h${Math.floor((seconds % hour) / minute)}m`;
  if (seconds < year) return `${Math.floor(seconds / day)}d${Math.floor((seconds % day) / hour)}h`;
  return `${Math.floor(seconds / year)}y${Math.floor((seconds % year) / day)}d`;
}
