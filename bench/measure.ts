/** One row of the table: a figure, what it is held against, and whether it is within its bound. */
export interface Row {
  what: string;
  ours: string;
  floor: string;
  /** What was promised, in words. */
  bound: string;
  holds: boolean;
}

export interface Measurement {
  name: string;
  run(): Promise<Row[]>;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const index = Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1);
  const value = sorted[Math.max(0, index)];
  if (value === undefined) throw new Error('Nothing was measured');
  return value;
}

export const milliseconds = (value: number) => `${value.toFixed(1)} ms`;
export const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
export const rate = (bytes: number, ms: number) => `${(bytes / 1024 ** 2 / (ms / 1000)).toFixed(0)} MiB/s`;

/** Runs something and answers how long it took, in milliseconds. */
export async function timed<Result>(work: () => Promise<Result>): Promise<{ ms: number; result: Result }> {
  const begin = performance.now();
  const result = await work();
  return { ms: performance.now() - begin, result };
}
