/** Pauses between attempts: they grow, and are shaken so that many workers do not come back in step. */

export interface BackOff {
  /** Milliseconds. */
  readonly first: number;
  readonly longest: number;
}

/**
 * The pause after a number of failures in a row, in milliseconds: doubled each time, between a half and the whole of it.
 * @param failures at least 1
 * @param random between 0 and 1
 */
export function pauseAfter(failures: number, { first, longest }: BackOff, random: number): number {
  const whole = Math.min(longest, first * 2 ** Math.min(failures - 1, 30));
  return whole / 2 + (whole / 2) * random;
}
