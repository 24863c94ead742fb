import { toFixedHalfEven } from '../units/decimal.ts';
import { formatPercentage } from '../units/ratio.ts';

/** How far a transfer is (cli.md §2.4), without prefix, carriage return and padding. */
export interface TransferProgress {
  bytes: number;
  /** Bytes in all; undefined when unknown (archives made on the fly, downloads). */
  totalBytes: number | undefined;
  /** Seconds since the start. */
  seconds: number;
}

/** `12.34MiB / 50.00MiB (24.7%) [3.20MiB/sec]`; the speed is the average since the start. */
export function formatTransferProgress({ bytes, totalBytes, seconds }: TransferProgress): string {
  const amount =
    totalBytes === undefined
      ? mebibytes(bytes)
      : `${mebibytes(bytes)} / ${mebibytes(totalBytes)} (${formatPercentage(bytes, totalBytes)})`;
  return `${amount} [${mebibytes(seconds > 0 ? bytes / seconds : 0)}/sec]`;
}

function mebibytes(bytes: number): string {
  return `${toFixedHalfEven(bytes / 1024 ** 2, 2)}MiB`;
}
