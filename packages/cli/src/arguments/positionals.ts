/** Deals the positional words out to the names they are asked for by. */
import type { Positional, Syntax } from './specification.ts';
import { SyntaxProblem } from './syntax-problem.ts';

const least = (positional: Positional) => (positional.count === 'one' || positional.count === 'some' ? 1 : 0);
const most = (positional: Positional) =>
  positional.count === 'one' || positional.count === 'optional' ? 1 : Infinity;

/**
 * Every positional gets the least it needs; what is left goes to the first that takes more.
 * @param lists options that took a list of words: they may have taken what is missing.
 * @param unknown words that look like options and are none.
 * @throws SyntaxProblem
 */
export function distribute(
  words: readonly string[],
  syntax: Syntax,
  lists: readonly string[],
  unknown: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const { positionals } = syntax;
  const needed = positionals.reduce((sum, positional) => sum + least(positional), 0);
  if (words.length < needed) throw missing(words.length, positionals, lists);
  let spare = words.length - needed;
  let at = 0;
  const dealt = new Map<string, readonly string[]>();
  for (const positional of positionals) {
    const extra = Math.min(spare, most(positional) - least(positional));
    const taken = words.slice(at, at + least(positional) + extra);
    for (const word of taken) check(positional, word);
    dealt.set(positional.name, taken);
    spare -= extra;
    at += taken.length;
  }
  const left = [...unknown, ...words.slice(at)];
  if (left.length > 0) {
    throw new SyntaxProblem(
      `unrecognized arguments: ${left.join(' ')}`,
      `Run \`cl ${syntax.name} --help\` for what it takes.`,
    );
  }
  return dealt;
}

function missing(given: number, positionals: readonly Positional[], lists: readonly string[]): SyntaxProblem {
  const required = positionals.filter((positional) => least(positional) > 0).map(({ name }) => name);
  const [list] = lists;
  return new SyntaxProblem(
    `the following arguments are required: ${required.slice(given).join(', ')}`,
    list === undefined
      ? undefined
      : `${list} takes all words up to the next option: put it last, or write ${list}=… for one word.`,
  );
}

function check(positional: Positional, word: string): void {
  if (positional.kind === 'integer' && !/^\s*[+-]?\d+\s*$/.test(word)) {
    throw new SyntaxProblem(`argument ${positional.name}: invalid int value: '${word}'`);
  }
  if (positional.choices !== undefined && !positional.choices.includes(word)) {
    const choices = positional.choices.map((choice) => `'${choice}'`).join(', ');
    throw new SyntaxProblem(
      `argument ${positional.name}: invalid choice: '${word}' (choose from ${choices})`,
    );
  }
}
