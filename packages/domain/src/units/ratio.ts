import { toFixedHalfEven } from './decimal.ts';

/** `1m0s / 2m0s (50.0%)`: how much of a total is used (bundles.md §4.6); nothing of nothing is 100.0%. */
export function formatRatio(used: number, total: number, format: (value: number) => string): string {
  return `${format(used)} / ${format(total)} (${formatPercentage(used, total)})`;
}

/** `50.0%`; 100.0% when the total is 0. */
export function formatPercentage(used: number, total: number): string {
  return `${toFixedHalfEven(total === 0 ? 100 : (100 * used) / total, 1)}%`;
}
