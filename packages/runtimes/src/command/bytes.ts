/** Sizes in words (execution §12.5). */

const units = ['', 'k', 'm', 'g', 't'] as const;

/** `2147483648` → `2g`, `1536` → `1.5k`; `812 bytes` below 1024. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const unit of units) {
    if (value < 1024 || unit === 't') {
      const digits = value < 100 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.trunc(value));
      return unit === '' ? `${digits} bytes` : `${digits}${unit}`;
    }
    value /= 1024;
  }
  return String(bytes);
}
