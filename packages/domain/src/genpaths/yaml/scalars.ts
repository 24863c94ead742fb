import type { GenpathValue } from '../value.ts';

/** The text is no YAML of the kind that is understood: it stays text. */
export class NotYaml extends Error {}

/** What an unquoted scalar means: the core schema of YAML 1.2; what JSON cannot carry stays text. */
export function resolveScalar(text: string): GenpathValue {
  if (/^(~|null|Null|NULL|)$/.test(text)) return null;
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  const isNumber = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(text) || /^0x[0-9a-fA-F]+$/.test(text);
  const number = isNumber ? Number(text) : Number.NaN;
  const exact = /[.eE]/.test(text) ? Number.isFinite(number) : Number.isSafeInteger(number);
  return isNumber && exact ? number : text;
}

/** A plain scalar may not begin with a character that means something else. */
export function checkPlain(text: string): string {
  if (/^[&*!|>%@`"'#,[\]{}]/.test(text) || /^[-?:]( |$)/.test(text) || /:( |$)/.test(text))
    throw new NotYaml();
  return text;
}

const escapes: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
};

/** Reads a quoted scalar that begins at `start`; `end` is behind its closing quote. */
export function readQuoted(text: string, start: number): { value: string; end: number } {
  const pattern = text[start] === '"' ? /"((?:[^"\\]|\\[^])*)"/y : /'((?:[^']|'')*)'/y;
  pattern.lastIndex = start;
  const match = pattern.exec(text);
  if (match === null) throw new NotYaml();
  const body = match[1] ?? '';
  return {
    value: text[start] === '"' ? unescape(body) : body.replaceAll("''", "'"),
    end: start + match[0].length,
  };
}

function unescape(body: string): string {
  return body.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([^]))/g,
    (_, byte: string | undefined, unit: string | undefined, letter: string | undefined) => {
      if (letter === undefined) return String.fromCodePoint(Number.parseInt(byte ?? unit ?? '', 16));
      const character = escapes[letter];
      if (character === undefined) throw new NotYaml();
      return character;
    },
  );
}
