/**
 * A number with a fixed count of decimals, ties rounded to even as C's printf does it. `toFixed` rounds exact ties
 * up (1.25 → 1.3), which shows in texts that scripts compare (cli.md §5.1).
 *
 * @param digits 0 to 100.
 */
export function toFixedHalfEven(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
  if (Math.abs(value) >= 1e21) return withZeros(BigInt(value).toString(), digits);
  const rounded = value.toFixed(digits);
  if (!isTie(value, digits) || digits >= 100) return rounded;
  // An exact tie ends in 5 one place further right, so cutting that place off is the candidate nearer to zero.
  const exact = value.toFixed(digits + 1);
  const towardsZero = digits === 0 ? exact.slice(0, -2) : exact.slice(0, -1);
  return /[02468]$/.test(towardsZero) ? towardsZero : rounded;
}

/** value × 10^digits ends in exactly one half iff value × 2^(digits + 1) is an odd integer: both are exact in binary. */
function isTie(value: number, digits: number): boolean {
  const scaled = Math.abs(value) * 2 ** (digits + 1);
  return Number.isInteger(scaled) && scaled % 2 === 1;
}

function withZeros(integer: string, digits: number): string {
  return digits === 0 ? integer : `${integer}.${'0'.repeat(digits)}`;
}
