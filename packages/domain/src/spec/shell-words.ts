/** Quotes one word for a POSIX shell where it needs it (cli.md §3). */
export function quoteShellWord(word: string): string {
  return /^[a-zA-Z0-9@%+=:,./_-]+$/.test(word) && !word.endsWith('\n')
    ? word
    : `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** Words as one command line: what stands after `---` on the command line of `cl`. */
export function joinShellWords(words: readonly string[]): string {
  return words.map(quoteShellWord).join(' ');
}

/** Replaces `---` and everything after it by one argument (cli.md §3). */
export function foldCommandWords(words: readonly string[]): string[] {
  const at = words.indexOf('---');
  return at < 0 ? [...words] : [...words.slice(0, at), joinShellWords(words.slice(at + 1))];
}
