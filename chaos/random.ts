/** Chance that can be repeated: the same seed gives the same experiment. */
export interface Chance {
  /** At least 0, below 1. */
  next(): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  pick<Value>(values: readonly [Value, ...Value[]]): Value;
  /** Another source that does not disturb this one. */
  branch(): Chance;
}

/** Mulberry32: small, and good enough to spread faults. */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    pick: ([first, ...rest]) => {
      const chosen = between(0, rest.length);
      return chosen === 0 ? first : (rest[chosen - 1] ?? first);
    },
    branch: () => chance(between(0, 2 ** 31)),
  };
}
