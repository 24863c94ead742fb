/* The words of a directive: POSIX shell splitting without comments, and back (worksheets.md §4.3). */
import { quoteShellWord, type Outcome } from '@sheaf/domain';

const blank = /[ \t\r\n]/;

/** The words of a line; a problem where a quote is not closed. */
export function splitTokens(text: string): Outcome<string[]> {
  const tokens: string[] = [];
  let token: string | undefined;
  let at = 0;
  const add = (piece: string) => {
    token = (token ?? '') + piece;
  };
  while (at < text.length) {
    const character = text[at] ?? '';
    at += 1;
    if (blank.test(character)) {
      if (token !== undefined) tokens.push(token);
      token = undefined;
    } else if (character === "'" || character === '"') {
      const quoted = readQuoted(text, at, character);
      if (quoted === undefined) return { ok: false, problem: 'No closing quotation' };
      add(quoted.piece);
      at = quoted.end;
    } else if (character === '\\') {
      if (at === text.length) return { ok: false, problem: 'No escaped character' };
      add(text[at] ?? '');
      at += 1;
    } else {
      add(character);
    }
  }
  if (token !== undefined) tokens.push(token);
  return { ok: true, value: tokens };
}

/** What stands between quotes, from behind the opening one; inside double ones a backslash escapes `"` and itself only. */
function readQuoted(text: string, start: number, quote: string): { piece: string; end: number } | undefined {
  let piece = '';
  for (let at = start; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === quote) return { piece, end: at + 1 };
    const next = text[at + 1];
    if (quote === '"' && character === '\\' && (next === '"' || next === '\\')) {
      piece += next;
      at += 1;
    } else {
      piece += character;
    }
  }
  return undefined;
}

/** The form in which directives are stored and shown again. */
export function joinTokens(tokens: readonly string[]): string {
  return tokens.map((token) => (token === '' ? "''" : quoteShellWord(token))).join(' ');
}
