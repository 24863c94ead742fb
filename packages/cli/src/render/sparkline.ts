/** A course of numbers as one line of text. */

const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

export interface Reading {
  readonly at: number;
  /** Null: not known. */
  readonly value: number | null;
}

/**
 * One character for each stretch of time, as high as the largest value in it; what is not known is blank. Readings are in order.
 * @param width characters at most
 */
export function sparkline(readings: readonly Reading[], width: number): string {
  const cells = cellsOf(readings, width);
  const most = Math.max(...cells.map((value) => value ?? 0), 0);
  return cells.map((value) => (value === null ? ' ' : barOf(value, most))).join('');
}

function barOf(value: number, most: number): string {
  const height = most <= 0 ? 0 : Math.ceil((value / most) * bars.length) - 1;
  return bars[Math.min(Math.max(height, 0), bars.length - 1)] ?? ' ';
}

function cellsOf(readings: readonly Reading[], width: number): (number | null)[] {
  const from = readings[0]?.at ?? 0;
  const length = Math.max((readings.at(-1)?.at ?? 0) - from, 1);
  if (readings.length <= width) return readings.map(({ value }) => value);
  const cells = Array.from({ length: width }, (): number | null => null);
  for (const { at, value } of readings) {
    const cell = Math.min(width - 1, Math.floor(((at - from) / length) * width));
    if (value !== null) cells[cell] = Math.max(value, cells[cell] ?? 0);
  }
  return cells;
}
