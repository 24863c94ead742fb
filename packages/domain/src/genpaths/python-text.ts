import type { GenpathValue } from './value.ts';

/**
 * A value as Python prints it, which is what scripts compare (cli.md §5.1): `True`, `None`, lists as `['a', 'b']` with the
 * escapes of Python strings. A text by itself stays as it is.
 */
export function pythonText(value: GenpathValue): string {
  return typeof value === 'string' ? value : pythonLiteral(value);
}

function pythonLiteral(value: GenpathValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  const members = Object.entries(value).map(([key, member]) => `${quoted(key)}: ${pythonLiteral(member)}`);
  return `{${members.join(', ')}}`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (character === quote) return `\\${quote}`;
    if (code < 32 || code === 127) return escapes[character] ?? `\\x${code.toString(16).padStart(2, '0')}`;
    return escapes[character] ?? character;
  }).join('');
  return `${quote}${body}${quote}`;
}
