import { failure, success, type Outcome } from '../outcome.ts';

const largestRange = 10_000;
const rangePattern = /^([^]*\^)(\d+)-(\d+)/;

/**
 * Expands `foo^1-3` to `foo^1 foo^2 foo^3` and `^3-1` to `^3 ^2 ^1` (cli.md §4.5). Anything else stays as it is; text
 * after a range is dropped.
 */
export function expandRange(spec: string): Outcome<string[]> {
  const match = rangePattern.exec(spec);
  if (match === null) return success([spec]);
  const stem = match[1] ?? '';
  const first = Number(match[2]);
  const last = Number(match[3]);
  const count = Math.abs(last - first) + 1;
  if (!(count <= largestRange)) return failure(`${spec} stands for more than ${largestRange} bundles`);
  const step = first <= last ? 1 : -1;
  return success(Array.from({ length: count }, (_, position) => `${stem}${first + step * position}`));
}

/** Expands every spec of a command line, in order. */
export function expandRanges(specs: readonly string[]): Outcome<string[]> {
  const expanded: string[] = [];
  for (const spec of specs) {
    const range = expandRange(spec);
    if (!range.ok) return range;
    expanded.push(...range.value);
  }
  return success(expanded);
}
