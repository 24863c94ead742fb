/**
 * How a piece of text in a spec or a search selects other texts: exactly, or with wildcards that stand for any string.
 * Comparison of letters is the asker's business (databases differ); `matchesText` ignores case, as the original's did.
 */
export type TextMatch =
  | { kind: 'exact'; text: string }
  /** The literal pieces between wildcards; `a%b` is `['a', 'b']`. */
  | { kind: 'pattern'; pieces: readonly string[] };

/** Reads `%` and `.*` as wildcards (rest-api.md §9.2, §12.1); everything else, `_` and `*` included, is literal. */
export function parseTextMatch(text: string): TextMatch {
  const pieces = text.replaceAll('.*', '%').split('%');
  return pieces.length === 1 ? { kind: 'exact', text } : { kind: 'pattern', pieces };
}

/** The text a match was read from, with `%` as the wildcard. */
export function formatTextMatch(match: TextMatch): string {
  return match.kind === 'exact' ? match.text : match.pieces.join('%');
}

/** A pattern for SQL `LIKE … ESCAPE '\'`. */
export function likePattern(match: TextMatch): string {
  const pieces = match.kind === 'exact' ? [match.text] : match.pieces;
  return pieces.map((piece) => piece.replace(/[\\%_]/g, '\\$&')).join('%');
}

export function matchesText(match: TextMatch, text: string): boolean {
  const subject = text.toLowerCase();
  if (match.kind === 'exact') return subject === match.text.toLowerCase();
  const pieces = match.pieces.map((piece) => piece.toLowerCase());
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  if (!subject.startsWith(first) || !subject.endsWith(last)) return false;
  let position = first.length;
  const end = subject.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = subject.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  return position <= end;
}
