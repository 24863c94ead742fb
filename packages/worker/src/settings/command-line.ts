/**
 * Splits the words of a command line into flags and their values, as scripts for the original worker expect it: `--flag value` and
 * `--flag=value`, a flag cut short where only one begins like that, and of a flag given twice the last one.
 */
import { flags, type Flag, type FlagName } from './flags.ts';
import { StartProblem } from './settings.ts';

export interface CommandLine {
  value(name: FlagName): string | undefined;
  has(name: FlagName): boolean;
  /** Flags that nobody knows, which `--skip-unknown-flags` lets pass. */
  readonly unknown: readonly string[];
}

type KnownFlag = (typeof flags)[number];

/** @throws StartProblem on unknown and ambiguous flags, missing values and words that are no flags. */
export function parseCommandLine(words: readonly string[]): CommandLine {
  const given = new Map<FlagName, string>();
  const unknown: string[] = [];
  const stray: string[] = [];
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (!word.startsWith('-') || word === '-' || word === '--') {
      stray.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const flag = flagOf(name);
    if (flag === undefined) {
      unknown.push(name);
      continue;
    }
    const attached = equals < 0 ? undefined : word.slice(equals + 1);
    given.set(flag.name, valueOf(flag, attached, left));
  }
  if (!given.has('skip-unknown-flags')) refuse(unknown, stray);
  return { value: (name) => given.get(name), has: (name) => given.has(name), unknown };
}

/** @throws StartProblem where several flags begin like that */
function flagOf(word: string): KnownFlag | undefined {
  if (word === '-h') return flags.find(({ name }) => name === 'help');
  if (!word.startsWith('--')) return undefined;
  const text = word.slice(2);
  const exact = flags.find(({ name }) => name === text);
  if (exact !== undefined) return exact;
  const matching = flags.filter(({ name }) => name.startsWith(text));
  if (matching.length > 1) {
    const names = matching.map(({ name }) => `--${name}`).join(', ');
    throw new StartProblem(`${word} can mean ${names}: write it out.`);
  }
  return matching[0];
}

/** Takes the value from the flag itself, or else from the words that follow. */
function valueOf(flag: Flag, attached: string | undefined, left: string[]): string {
  if (flag.value === undefined) {
    if (attached === undefined) return '';
    throw new StartProblem(`--${flag.name} takes no value.`);
  }
  if (attached !== undefined) return attached;
  const next = left[0];
  // A number may be negative; whether that makes sense is for whoever reads it. A certificate begins with hyphens, and has blanks.
  if (next === undefined || (next.startsWith('-') && next !== '-' && !/^-\d|\s/.test(next))) {
    throw new StartProblem(`--${flag.name} needs a value: --${flag.name} ${flag.value}.`);
  }
  left.shift();
  return next;
}

function refuse(unknown: readonly string[], stray: readonly string[]): void {
  if (unknown[0] !== undefined) {
    throw new StartProblem(`There is no flag ${unknown[0]}; --help lists those there are.`);
  }
  if (stray[0] !== undefined) {
    throw new StartProblem(`"${stray[0]}" is not a flag; --help shows how to start the worker.`);
  }
}
