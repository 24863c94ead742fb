/** Decides what one word of a command line is: an option, or something else (cli.md §3). */
import type { Flag } from './specification.ts';
import { SyntaxProblem } from './syntax-problem.ts';

export type Word =
  | { readonly kind: 'positional'; readonly text: string }
  /** `attached` is what follows `=`, or the rest of a short option's word. */
  | {
      readonly kind: 'option';
      readonly flag: Flag;
      readonly typed: string;
      readonly attached: string | undefined;
    }
  | { readonly kind: 'unknown'; readonly text: string };

/** @throws SyntaxProblem for a prefix that fits several options. */
export function classify(text: string, flags: readonly Flag[]): Word {
  if (!text.startsWith('-') || text === '-') return { kind: 'positional', text };
  const exact = flags.find((flag) => flag.long === text || flag.short === text);
  if (exact !== undefined) return { kind: 'option', flag: exact, typed: text, attached: undefined };
  const option = text.startsWith('--') ? longOption(text, flags) : shortOption(text, flags);
  if (option !== undefined) return option;
  if (/^-\d+$|^-\d*\.\d+$/.test(text) || text.includes(' ')) return { kind: 'positional', text };
  return { kind: 'unknown', text };
}

/** `--name=value`, and any prefix of a long option that fits only one. */
function longOption(text: string, flags: readonly Flag[]): Word | undefined {
  const equals = text.indexOf('=');
  const typed = equals < 0 ? text : text.slice(0, equals);
  const attached = equals < 0 ? undefined : text.slice(equals + 1);
  const exact = flags.find((flag) => flag.long === typed);
  const [found, another] =
    exact === undefined ? flags.filter((flag) => flag.long.startsWith(typed)) : [exact];
  if (found === undefined) return undefined;
  if (another !== undefined) {
    const candidates = flags.filter((flag) => flag.long.startsWith(typed)).map((flag) => flag.long);
    throw new SyntaxProblem(`ambiguous option: ${typed} could match ${candidates.join(', ')}`);
  }
  return { kind: 'option', flag: found, typed, attached };
}

/** `-n=value`, `-nvalue`, and the first of a cluster such as `-Wt`. */
function shortOption(text: string, flags: readonly Flag[]): Word | undefined {
  const typed = text.slice(0, 2);
  const flag = flags.find((one) => one.short === typed);
  if (flag === undefined) return undefined;
  // Only right after the letter does `=` separate: `-n=v` is v, while `-nx=v` is `x=v`.
  const attached = text[2] === '=' ? text.slice(3) : text.slice(2);
  return { kind: 'option', flag, typed, attached };
}
