import { failure, success, type Outcome } from '../outcome.ts';
import { toFixedHalfEven } from './decimal.ts';

/** Sizes in bytes, with units of powers of 1024 (bundles.md §4.6, §4.7; execution.md §12.2, §12.5). */

const units = ['', 'k', 'm', 'g', 't'] as const;
const pattern = /^(?:(\d+)|(\d+(?:\.\d+)?|\.\d+)([kmgt]))$/i;

/**
 * Parses `3`, `1.5m`, `2G` into whole bytes (truncated). Signs, exponents, a trailing `b` and a fraction of a byte
 * are problems: `Invalid size: X, expected <number>[<k|m|g|t>]`.
 */
export function parseSize(text: string): Outcome<number> {
  const match = text.endsWith('\n') ? null : pattern.exec(text);
  if (match === null) return invalid(text);
  const [, whole, decimal, unit] = match;
  const factor = 1024 ** units.indexOf(unitOf(unit));
  const bytes = Math.trunc(Number(whole ?? decimal) * factor);
  return Number.isSafeInteger(bytes) ? success(bytes) : invalid(text);
}

function invalid(text: string): Outcome<number> {
  return failure(`Invalid size: ${text}, expected <number>[<k|m|g|t>]`);
}

function unitOf(unit: string | undefined): (typeof units)[number] {
  const lower = unit?.toLowerCase();
  return units.find((known) => known === lower) ?? '';
}

/**
 * Formats bytes: `3.4k`, `390k`, `2g`. Below 100 of a unit a fraction shows as one decimal, else it is cut off.
 *
 * @param options.withBytes prints ` bytes` after a number without unit.
 */
export function formatSize(bytes: number, options?: { withBytes?: boolean }): string;
export function formatSize(bytes: number | null, options?: { withBytes?: boolean }): string | null;
export function formatSize(bytes: number | null, options: { withBytes?: boolean } = {}): string | null {
  if (bytes === null) return null;
  if (bytes < 0) return `-${formatSize(-bytes, options)}`;
  let value = bytes;
  let unit = 0;
  // The last unit takes whatever is left, so that a petabyte is shown as 1024t instead of not at all.
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const number =
    value < 100 && !Number.isInteger(value) ? toFixedHalfEven(value, 1) : String(Math.trunc(value));
  const suffix = unit === 0 && options.withBytes === true ? ' bytes' : (units[unit] ?? '');
  return `${number}${suffix}`;
}
