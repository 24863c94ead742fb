/** Which names and link targets contents can hold, and how names are ordered (docs/contents.md). */
import { Buffer, isUtf8 } from 'node:buffer';
import { InvalidNameError } from '../errors.ts';

/** Longest name in bytes: what every common filesystem can hold. */
export const longestName = 255;
/** Longest link target in bytes: what Linux can hold. */
export const longestTarget = 4095;

const loneSurrogate = /\p{Surrogate}/u;
const ascii = /^[\x20-\x7e]*$/;

/** Says what is wrong with a name, or undefined where nothing is. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'a name is empty';
  if (name === '.' || name === '..') return `a name is ${JSON.stringify(name)}`;
  if (name.includes('/')) return 'a name contains a slash';
  if (name.includes('\0')) return 'a name contains a NUL byte';
  if (ascii.test(name)) return name.length > longestName ? tooLong : undefined;
  if (loneSurrogate.test(name)) return 'a name is not valid UTF-8';
  return Buffer.byteLength(name) > longestName ? tooLong : undefined;
}

const tooLong = `a name is longer than ${longestName} bytes`;

/** Says what is wrong with a link's target, or undefined where nothing is. */
export function targetProblem(target: string): string | undefined {
  if (target === '') return 'the target of a link is empty';
  if (target.includes('\0')) return 'the target of a link contains a NUL byte';
  if (loneSurrogate.test(target)) return 'the target of a link is not valid UTF-8';
  return Buffer.byteLength(target) > longestTarget
    ? `the target of a link is longer than ${longestTarget} bytes`
    : undefined;
}

/**
 * Decodes the bytes of a name or target.
 * @throws InvalidNameError where they are not valid UTF-8; the error shows them with escapes (docs/decisions/0101).
 */
export function decodeName(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  throw new InvalidNameError(escapeBytes(bytes), 'its name is not valid UTF-8');
}

/** Shows bytes that are no text: printable ASCII as it is, all else as `\xNN`. */
export function escapeBytes(bytes: Uint8Array): string {
  let shown = '';
  for (const byte of bytes) {
    shown +=
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return shown;
}

/**
 * Orders names by the bytes of their UTF-8 encoding. JavaScript compares UTF-16 units, which puts characters beyond the basic
 * plane (units D800–DFFF) before U+E000–U+FFFF; in UTF-8 they come after.
 */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  let at = 0;
  while (at < shorter && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  if (at === shorter) return a.length - b.length;
  return inUtf8Order(a.charCodeAt(at)) - inUtf8Order(b.charCodeAt(at));
}

function inUtf8Order(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
