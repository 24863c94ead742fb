/** Characters and classes of characters in patterns. */

export type CharacterTest = (character: string) => boolean;

const digit: CharacterTest = (character) => /^\p{Nd}$/u.test(character);
const space: CharacterTest = (character) => /^\s$/u.test(character);
export const isWordCharacter: CharacterTest = (character) => /^[\p{L}\p{N}_]$/u.test(character);

/** `\d`, `\w`, `\s` and their opposites. */
export function shorthand(letter: string): CharacterTest | undefined {
  switch (letter) {
    case 'd':
      return digit;
    case 'D':
      return (character) => !digit(character);
    case 's':
      return space;
    case 'S':
      return (character) => !space(character);
    case 'w':
      return isWordCharacter;
    case 'W':
      return (character) => !isWordCharacter(character);
    default:
      return undefined;
  }
}

const controls: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v', a: '\x07' };

/** The character an escape stands for; `at` is behind the backslash. Undefined for letters and digits with no meaning. */
export function characterEscape(text: string, at: number): { character: string; end: number } | undefined {
  const letter = text[at];
  if (letter === undefined) return undefined;
  const control = controls[letter];
  if (control !== undefined) return { character: control, end: at + 1 };
  const code = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(text.slice(at, at + 5));
  if (code !== null) {
    const character = String.fromCodePoint(Number.parseInt(code[1] ?? code[2] ?? '', 16));
    return { character, end: at + code[0].length };
  }
  if (/^[a-zA-Z0-9]$/.test(letter)) return undefined;
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return { character, end: at + character.length };
}

/** Reads a class from behind its opening bracket; undefined when it is malformed or never closed. */
export function parseClass(text: string, start: number): { test: CharacterTest; end: number } | undefined {
  const negated = text[start] === '^';
  const first = negated ? start + 1 : start;
  const tests: CharacterTest[] = [];
  let at = first;
  while (text[at] !== ']' || at === first) {
    const from = classItem(text, at);
    if (from === undefined) return undefined;
    at = from.end;
    const to = text[at] === '-' && text[at + 1] !== ']' ? classItem(text, at + 1) : undefined;
    if (to === undefined) {
      tests.push(from.test);
      continue;
    }
    const [low, high] = [from.character, to.character];
    if (low === undefined || high === undefined || codeOf(high) < codeOf(low)) return undefined;
    tests.push((character) => codeOf(low) <= codeOf(character) && codeOf(character) <= codeOf(high));
    at = to.end;
  }
  return { end: at + 1, test: (character) => tests.some((test) => test(character)) !== negated };
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

interface ClassItem {
  test: CharacterTest;
  /** Undefined for a shorthand, which cannot be the end of a range. */
  character: string | undefined;
  end: number;
}

function classItem(text: string, at: number): ClassItem | undefined {
  if (at >= text.length) return undefined;
  if (text[at] !== '\\') {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    return { character, test: (tested) => tested === character, end: at + character.length };
  }
  const letter = text[at + 1] ?? '';
  const test = shorthand(letter);
  if (test !== undefined) return { character: undefined, test, end: at + 2 };
  const escaped = letter === 'b' ? { character: '\b', end: at + 2 } : characterEscape(text, at + 1);
  return escaped && { ...escaped, test: (tested) => tested === escaped.character };
}
