import { expect, it } from 'vitest';
import { formatTransferProgress } from './progress.ts';

const mebibyte = 1024 ** 2;

it('shows amount, total and average speed', () => {
  expect(formatTransferProgress({ bytes: 12.345 * mebibyte, totalBytes: 50 * mebibyte, seconds: 4 })).toBe(
    '12.35MiB / 50.00MiB (24.7%) [3.09MiB/sec]',
  );
  expect(formatTransferProgress({ bytes: 3 * mebibyte, totalBytes: undefined, seconds: 2 })).toBe(
    '3.00MiB [1.50MiB/sec]',
  );
  expect(formatTransferProgress({ bytes: 0, totalBytes: 0, seconds: 0 })).toBe(
    '0.00MiB / 0.00MiB (100.0%) [0.00MiB/sec]',
  );
});
