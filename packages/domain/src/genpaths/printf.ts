import { failure, success, type Outcome } from '../outcome.ts';
import { toFixedHalfEven } from '../units/decimal.ts';

const conversion = /%(?:%|([-+ 0#]*)(\d{0,3})(?:\.(\d{0,2}))?([diuoxXeEfFgG]))/g;

/**
 * Formats one number as C's printf does: exactly one conversion, text and `%%` around it as they are (worksheets.md §6.3).
 * Integer conversions cut the fraction off.
 */
export function formatNumber(format: string, value: number): Outcome<string> {
  let conversions = 0;
  const text = format.replace(
    conversion,
    (whole: string, flags: string | undefined, width = '', precision: string | undefined, kind = '') => {
      if (whole === '%%') return '%';
      conversions += 1;
      const places = precision === undefined ? undefined : Number(precision);
      return padded(digits(value, kind, places), flags ?? '', Number(width), kind);
    },
  );
  const strayPercent = format.replaceAll(conversion, '').includes('%');
  return conversions === 1 && !strayPercent
    ? success(text)
    : failure(`Not a format for one number: ${format}`);
}

function digits(value: number, kind: string, precision: number | undefined): string {
  if (!Number.isFinite(value)) return toFixedHalfEven(value, 0);
  switch (kind) {
    case 'f':
    case 'F':
      return toFixedHalfEven(value, precision ?? 6);
    case 'e':
    case 'E':
      return exponential(value, precision ?? 6, kind);
    case 'g':
    case 'G':
      return general(value, precision ?? 6, kind);
    case 'o':
      return integer(value, precision, 8);
    case 'x':
      return integer(value, precision, 16);
    case 'X':
      return integer(value, precision, 16).toUpperCase();
    default:
      return integer(value, precision, 10);
  }
}

function integer(value: number, precision: number | undefined, radix: number): string {
  const whole = Math.trunc(value) || 0;
  const magnitude = BigInt(Math.abs(whole))
    .toString(radix)
    .padStart(precision ?? 1, '0');
  return whole < 0 ? `-${magnitude}` : magnitude;
}

function exponential(value: number, precision: number, letter: string): string {
  const [mantissa = '', exponent = '+0'] = toExponentialHalfEven(value, precision).split('e');
  const sign = exponent.startsWith('-') ? '-' : '+';
  return `${mantissa}${letter}${sign}${exponent.replace(/^[-+]/, '').padStart(2, '0')}`;
}

/** Far more than a tie has. */
const mostDigits = 100;

/** `toExponential` rounds exact ties up, C rounds them to even: such a value ends in 5 one place further right. */
function toExponentialHalfEven(value: number, precision: number): string {
  const rounded = value.toExponential(precision);
  const [digits = '', exponent = ''] = value.toExponential(mostDigits).split('e');
  const cut = digits.indexOf('.') + 1 + precision;
  if (!/^50*$/.test(digits.slice(cut))) return rounded;
  const towardsZero = digits.slice(0, cut).replace(/\.$/, '');
  return /[02468]$/.test(towardsZero) ? `${towardsZero}e${exponent}` : rounded;
}

/** The shorter of fixed and exponential form, without zeros at the end. */
function general(value: number, precision: number, letter: string): string {
  if (value === 0) return '0';
  const significant = Math.max(1, precision);
  const exponent = Number(toExponentialHalfEven(value, significant - 1).split('e')[1]);
  if (exponent < -4 || exponent >= significant) {
    const [mantissa = '', rest = ''] = exponential(value, significant - 1, 'e').split('e');
    return `${withoutZeros(mantissa)}${letter === 'G' ? 'E' : 'e'}${rest}`;
  }
  return withoutZeros(toFixedHalfEven(value, Math.max(0, significant - 1 - exponent)));
}

function withoutZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function padded(number: string, flags: string, width: number, kind: string): string {
  const signed = !number.startsWith('-') && flags.includes('+') ? `+${number}` : number;
  const spaced = !/^[-+]/.test(signed) && flags.includes(' ') ? ` ${signed}` : signed;
  if (flags.includes('-')) return spaced.padEnd(width);
  if (!flags.includes('0') || /[a-z]{3}/i.test(number) || kind === '') return spaced.padStart(width);
  const sign = /^[-+ ]/.exec(spaced)?.[0] ?? '';
  return `${sign}${spaced.slice(sign.length).padStart(width - sign.length, '0')}`;
}
