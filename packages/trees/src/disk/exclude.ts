/** Which paths of a directory are left out. */

/** Answers true for a path (relative to the directory, without a slash in front) that is to be left out with all below it. */
export type ExcludePath = (path: string) => boolean;

/**
 * GNU tar's `--exclude` (bundles.md §8.3, §12.2): a pattern may begin at any component of the path and must reach to its end;
 * `*` and `?` also match slashes; a leading `./` means the top of the directory.
 */
export function excludePatterns(patterns: readonly string[]): ExcludePath {
  const cleaned = patterns.map((pattern) => parseGlob(pattern.replace(/(?<=.)\/+$/, '')));
  return (path) => {
    const whole = `./${path}`;
    for (let from = 0; from !== -1; from = nextComponent(whole, from)) {
      const rest = whole.slice(from);
      if (cleaned.some((glob) => matchGlob(glob, rest))) return true;
    }
    return false;
  };
}

/** Shell patterns on the base name alone, as the client uses them for the sources of an upload (bundles.md §12.2). */
export function excludeNames(patterns: readonly string[]): ExcludePath {
  const globs = patterns.map(parseGlob);
  return (path) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return globs.some((glob) => matchGlob(glob, name));
  };
}

function nextComponent(path: string, from: number): number {
  const slash = path.indexOf('/', from);
  return slash === -1 ? -1 : slash + 1;
}

type Part = { readonly kind: 'any' } | { readonly kind: 'one'; matches(character: string): boolean };
type Glob = readonly Part[];

function parseGlob(pattern: string): Glob {
  const parts: Part[] = [];
  const characters = Array.from(pattern);
  let at = 0;
  while (at < characters.length) {
    const character = characters[at] ?? '';
    at += 1;
    if (character === '*') {
      if (parts.at(-1)?.kind !== 'any') parts.push({ kind: 'any' });
    } else if (character === '?') {
      parts.push({ kind: 'one', matches: () => true });
    } else if (character === '[') {
      const set = parseSet(characters, at);
      if (set === undefined) parts.push(literal('['));
      else {
        parts.push(set.part);
        at = set.end;
      }
    } else if (character === '\\' && at < characters.length) {
      parts.push(literal(characters[at] ?? ''));
      at += 1;
    } else {
      parts.push(literal(character));
    }
  }
  return parts;
}

function literal(wanted: string): Part {
  return { kind: 'one', matches: (character) => character === wanted };
}

/** Reads `[a-z]` or `[!a-z]`; undefined where the bracket is never closed and so means itself. */
function parseSet(characters: readonly string[], from: number): { part: Part; end: number } | undefined {
  const negated = characters[from] === '!' || characters[from] === '^';
  const first = negated ? from + 1 : from;
  // A bracket in the first place is a member, not the end.
  const end = characters.indexOf(']', first + 1);
  if (end === -1) return undefined;
  const ranges: [string, string][] = [];
  for (let at = first; at < end; at += 1) {
    const low = characters[at] ?? '';
    if (characters[at + 1] === '-' && at + 2 < end) {
      ranges.push([low, characters[at + 2] ?? low]);
      at += 2;
    } else {
      ranges.push([low, low]);
    }
  }
  const matches = (character: string): boolean =>
    ranges.some(([low, high]) => low <= character && character <= high) !== negated;
  return { part: { kind: 'one', matches }, end: end + 1 };
}

/** Never slower than length of pattern times length of text, whatever the pattern: patterns come from users. */
function matchGlob(glob: Glob, text: string): boolean {
  const characters = Array.from(text);
  let at = 0;
  let part = 0;
  let star = -1;
  let retry = 0;
  while (at < characters.length) {
    const current = glob[part];
    if (current?.kind === 'any') {
      star = part;
      retry = at;
      part += 1;
    } else if (current?.kind === 'one' && current.matches(characters[at] ?? '')) {
      at += 1;
      part += 1;
    } else if (star !== -1) {
      retry += 1;
      at = retry;
      part = star + 1;
    } else {
      return false;
    }
  }
  return glob.slice(part).every((rest) => rest.kind === 'any');
}
