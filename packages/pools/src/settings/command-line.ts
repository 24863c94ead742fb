/**
 * Splits the words of a command line into the kind of pool, flags and values, as start scripts of the original program expect it:
 * `--flag value` and `--flag=value`, a flag cut short where only one begins like that, and of a flag given twice the last one.
 */
import { commonFlags } from './common-flags.ts';
import { isPoolType, poolTypes, type Flag, type PoolType } from './flag.ts';
import { StartProblem } from './start-problem.ts';

export interface CommandLine {
  /** Undefined only where help was asked for. */
  readonly type: PoolType | undefined;
  /** As given, or the default of the flag. */
  value(name: string): string | undefined;
  /** Of a flag that takes several. */
  values(name: string): readonly string[];
  has(name: string): boolean;
}

/** The flags of each kind of pool, besides those of all. */
export type TypeFlags = Readonly<Record<PoolType, readonly Flag[]>>;

/** @throws StartProblem on unknown and ambiguous flags, missing values and words that are no flags. */
export function parseCommandLine(words: readonly string[], typeFlags: TypeFlags): CommandLine {
  const at = typeAt(words);
  const type = at === undefined ? undefined : (words[at] as PoolType);
  const flags = flagsOf(type, typeFlags);
  const before = at === undefined ? words : words.slice(0, at);
  const given = new Map<string, string[]>();
  for (const part of [before, at === undefined ? [] : words.slice(at + 1)]) readPart(part, flags, given);
  const line: CommandLine = {
    type,
    value: (name) => given.get(name)?.at(-1) ?? flags.find((flag) => flag.name === name)?.default,
    values: (name) => given.get(name) ?? [],
    has: (name) => given.has(name),
  };
  if (!line.has('help')) refuseIncomplete(line, flags);
  return line;
}

/** A flag of the kind of pool replaces the common one of its name: it may have another default. */
export function flagsOf(type: PoolType | undefined, typeFlags: TypeFlags): readonly Flag[] {
  const own = type === undefined ? [] : typeFlags[type];
  const names = new Set(own.map(({ name }) => name));
  return [...commonFlags.filter(({ name }) => !names.has(name)), ...own];
}

/** Where the kind of pool stands. A word that is the value of a flag before it is none: `--worker-tag kubernetes`. */
function typeAt(words: readonly string[]): number | undefined {
  const found = words.findIndex((word, index) => {
    if (!isPoolType(word)) return false;
    const before = words[index - 1];
    if (before === undefined || !before.startsWith('--') || before.includes('=')) return true;
    const flag: Flag | undefined = commonFlags.find(({ name }) => `--${name}` === before);
    return flag?.value === undefined || flag.several === true;
  });
  return found < 0 ? undefined : found;
}

function readPart(words: readonly string[], flags: readonly Flag[], given: Map<string, string[]>): void {
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (!word.startsWith('-')) throw stray(word);
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const flag = flagNamed(name, flags);
    const attached = equals < 0 ? undefined : word.slice(equals + 1);
    const before = flag.several === true ? (given.get(flag.name) ?? []) : [];
    given.set(flag.name, [...before, ...valuesOf(flag, attached, left)]);
  }
}

/** @throws StartProblem where there is none, or several begin like that */
function flagNamed(word: string, flags: readonly Flag[]): Flag {
  const text = word === '-h' ? 'help' : word.startsWith('--') ? word.slice(2) : '';
  const exact = flags.find(({ name }) => name === text);
  const matching = exact === undefined ? flags.filter(({ name }) => name.startsWith(text)) : [exact];
  const [first] = matching;
  if (text === '' || first === undefined) {
    throw new StartProblem(`There is no flag ${word}; --help lists those there are.`);
  }
  if (matching.length > 1) {
    const names = matching.map(({ name }) => `--${name}`).join(', ');
    throw new StartProblem(`${word} can mean ${names}: write it out.`);
  }
  return first;
}

/** Takes the values from the flag itself, or else from the words that follow. */
function valuesOf(flag: Flag, attached: string | undefined, left: string[]): string[] {
  if (flag.value === undefined) {
    if (attached === undefined) return [''];
    throw new StartProblem(`--${flag.name} takes no value.`);
  }
  if (attached !== undefined) return [attached];
  const values: string[] = [];
  for (let next = left[0]; next !== undefined && !isFlag(next); next = left[0]) {
    values.push(next);
    left.shift();
    if (flag.several !== true) break;
  }
  if (values.length > 0) return values;
  throw new StartProblem(`--${flag.name} needs a value: --${flag.name} ${flag.value}.`);
}

/** A number may be negative; whether that makes sense is for whoever reads it. A certificate begins with hyphens, and has blanks. */
function isFlag(word: string): boolean {
  return word.startsWith('-') && word !== '-' && !/^-\d|\s/.test(word);
}

function refuseIncomplete(line: CommandLine, flags: readonly Flag[]): void {
  if (line.type === undefined) {
    throw new StartProblem(
      `Say what shall start the workers: cl-worker-manager [flags] ${poolTypes.join('|')} [flags]. --help explains.`,
    );
  }
  const missing = flags.filter(({ name, required }) => required === true && (line.value(name) ?? '') === '');
  if (missing.length > 0) {
    const words = missing.map(({ name, value }) => `--${name} ${value ?? ''}`.trimEnd()).join(' ');
    throw new StartProblem(`${line.type} needs ${words}; cl-worker-manager ${line.type} --help explains.`);
  }
}

function stray(word: string): StartProblem {
  return new StartProblem(
    `"${word}" is neither a flag nor a kind of pool (${poolTypes.join(', ')}); --help shows how to start.`,
  );
}
