/** A file-name pattern of POSIX `fnmatch` without flags: `*`, `?`, `[…]` and backslash; wildcards match `/` as well. */
export type Glob = readonly GlobToken[];

type GlobToken = { kind: 'any-text' } | { kind: 'character'; matches: (character: string) => boolean };

const classes: Readonly<Record<string, RegExp>> = {
  alpha: /^[a-zA-Z]$/,
  digit: /^[0-9]$/,
  alnum: /^[a-zA-Z0-9]$/,
  upper: /^[A-Z]$/,
  lower: /^[a-z]$/,
  space: /^\s$/,
  blank: /^[ \t]$/,
  punct: /^[!-/:-@[-`{-~]$/,
  xdigit: /^[0-9a-fA-F]$/,
};

/** Reads a pattern. A bracket that is never closed stands for itself; a backslash at the end matches nothing. */
export function parseGlob(pattern: string): Glob {
  const characters = Array.from(pattern);
  const tokens: GlobToken[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    const bracket = character === '[' ? parseBracket(characters, at) : undefined;
    if (character === '*') tokens.push({ kind: 'any-text' });
    else if (character === '?') tokens.push({ kind: 'character', matches: () => true });
    else if (bracket !== undefined) {
      tokens.push({ kind: 'character', matches: bracket.matches });
      at = bracket.end;
    } else if (character === '\\') {
      at += 1;
      tokens.push(literal(characters[at]));
    } else tokens.push(literal(character));
  }
  return tokens;
}

function literal(expected: string | undefined): GlobToken {
  return { kind: 'character', matches: (character) => character === expected };
}

interface Bracket {
  matches: (character: string) => boolean;
  /** Where the closing bracket is. */
  end: number;
}

function parseBracket(characters: readonly string[], open: number): Bracket | undefined {
  const negated = characters[open + 1] === '!' || characters[open + 1] === '^';
  const tests: ((character: string) => boolean)[] = [];
  let at = open + (negated ? 2 : 1);
  const first = at;
  // A closing bracket in first place stands for itself.
  while (at < characters.length && (characters[at] !== ']' || at === first)) {
    const named = namedClass(characters, at);
    if (named !== undefined) {
      tests.push(named.matches);
      at = named.end + 1;
      continue;
    }
    const from = characters[at] === '\\' ? characters[++at] : characters[at];
    at += 1;
    const isRange = characters[at] === '-' && at + 1 < characters.length && characters[at + 1] !== ']';
    const to = isRange ? characters[at + 1] : from;
    if (isRange) at += 2;
    tests.push((character) => from !== undefined && to !== undefined && from <= character && character <= to);
  }
  if (at >= characters.length) return undefined;
  return { end: at, matches: (character) => tests.some((test) => test(character)) !== negated };
}

function namedClass(characters: readonly string[], at: number): Bracket | undefined {
  if (characters[at] !== '[' || characters[at + 1] !== ':') return undefined;
  const end = characters.findIndex(
    (_, place) => place > at && characters[place] === ':' && characters[place + 1] === ']',
  );
  const known = end < 0 ? undefined : classes[characters.slice(at + 2, end).join('')];
  return known === undefined ? undefined : { end: end + 1, matches: (character) => known.test(character) };
}

/** Whether the pattern matches the whole text; the time it takes is at most proportional to both lengths multiplied. */
export function matchGlob(glob: Glob, text: string): boolean {
  const characters = Array.from(text);
  let token = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < characters.length) {
    const current = glob[token];
    if (current?.kind === 'any-text') {
      star = token;
      starAt = at;
      token += 1;
    } else if (current?.matches(characters[at] ?? '') === true) {
      token += 1;
      at += 1;
    } else if (star >= 0) {
      // Let the last star take one character more; earlier ones need no second look.
      starAt += 1;
      at = starAt;
      token = star + 1;
    } else return false;
  }
  return glob.slice(token).every(({ kind }) => kind === 'any-text');
}
