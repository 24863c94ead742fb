/** Parses the words after the command's name by the rules that users of `cl` know (cli.md §3). */
import { Arguments, type FlagValue } from './arguments.ts';
import { classify, type Word } from './option-word.ts';
import { distribute } from './positionals.ts';
import { helpFlag, type Flag, type Syntax } from './specification.ts';
import { SyntaxProblem } from './syntax-problem.ts';

/**
 * Options may stand anywhere, also between positionals. `--help` ends the parsing: whatever else is wrong or missing does
 * not matter then.
 * @throws SyntaxProblem
 */
export function parseArguments(words: readonly string[], syntax: Syntax): Arguments | 'help' {
  const parser = new Parser(words, [...syntax.flags, helpFlag], syntax.optionsEndAfter);
  if (parser.run() === 'help') return 'help';
  return new Arguments(parser.values, distribute(parser.positionals, syntax, parser.lists, parser.unknown));
}

class Parser {
  readonly values = new Map<string, FlagValue>();
  readonly positionals: string[] = [];
  readonly unknown: string[] = [];
  /** Options that took a list of words, for the hint when positionals are missing. */
  readonly lists: string[] = [];
  readonly #words: readonly string[];
  readonly #flags: readonly Flag[];
  readonly #optionsEndAfter: number | undefined;
  #at = 0;
  #optionsEnded = false;

  constructor(words: readonly string[], flags: readonly Flag[], optionsEndAfter: number | undefined) {
    this.#optionsEndAfter = optionsEndAfter;
    this.#words = words;
    this.#flags = flags;
  }

  run(): 'help' | undefined {
    for (let word = this.#next(); word !== undefined; word = this.#next()) {
      if (word.kind === 'positional') this.#positional(word.text);
      else if (word.kind === 'unknown') this.unknown.push(word.text);
      else if (this.#option(word.flag, word.typed, word.attached) === 'help') return 'help';
    }
    return undefined;
  }

  #positional(text: string): void {
    this.positionals.push(text);
    if (this.positionals.length === this.#optionsEndAfter) {
      this.#optionsEnded = true;
      if (this.#words[this.#at] === '--') this.#at += 1;
    }
  }

  #next(): Word | undefined {
    const word = this.#peek();
    this.#at += 1;
    if (word === '--') {
      this.#optionsEnded = true;
      return this.#next();
    }
    return word;
  }

  /** `--` itself where options end. */
  #peek(): Word | '--' | undefined {
    const text = this.#words[this.#at];
    if (text === undefined) return undefined;
    if (this.#optionsEnded) return { kind: 'positional', text };
    return text === '--' ? '--' : classify(text, this.#flags);
  }

  #option(flag: Flag, typed: string, attached: string | undefined): 'help' | undefined {
    if (flag.kind === 'switch') return this.#switch(flag, typed, attached);
    const given = attached === undefined ? this.#following(flag) : [attached];
    this.values.set(flag.long, valueOf(flag, given));
    if (flag.kind === 'words' && attached === undefined) this.lists.push(flag.long);
    return undefined;
  }

  #switch(flag: Flag, typed: string, attached: string | undefined): 'help' | undefined {
    if (flag === helpFlag) return 'help';
    this.values.set(flag.long, true);
    if (attached === undefined) return undefined;
    const next = typed.startsWith('--')
      ? undefined
      : this.#flags.find((one) => one.short === `-${attached.slice(0, 1)}`);
    if (next === undefined || attached === '') {
      throw new SyntaxProblem(`argument ${labelOf(flag)}: ignored explicit argument '${attached}'`);
    }
    const rest = attached.slice(1);
    return this.#option(next, `-${attached.slice(0, 1)}`, rest === '' ? undefined : rest);
  }

  /** The words an option takes from those that follow it. */
  #following(flag: Flag): string[] {
    const limit = flag.kind === 'words' ? Infinity : flag.kind === 'pair' ? 2 : 1;
    const taken: string[] = [];
    while (taken.length < limit) {
      const word = this.#peek();
      if (word === undefined || word === '--' || word.kind !== 'positional' || this.#optionsEnded) break;
      taken.push(word.text);
      this.#at += 1;
    }
    return taken;
  }
}

function valueOf(flag: Flag, given: readonly string[]): FlagValue {
  if (flag.kind === 'words') return given;
  const expected = flag.kind === 'pair' ? 2 : 1;
  const [first] = given;
  if (first === undefined || given.length !== expected) {
    throw new SyntaxProblem(
      `argument ${labelOf(flag)}: expected ${expected === 1 ? 'one argument' : `${expected} arguments`}`,
      'A value that begins with a dash is attached with "=", as in --name=-x.',
    );
  }
  if (flag.kind === 'pair') return given;
  return flag.kind === 'integer' ? integerOf(first, labelOf(flag)) : first;
}

/** @throws SyntaxProblem unless the text is a decimal integer. */
export function integerOf(text: string, label: string): number {
  if (!/^\s*[+-]?\d+\s*$/.test(text))
    throw new SyntaxProblem(`argument ${label}: invalid int value: '${text}'`);
  return Number(text);
}

export function labelOf(flag: Flag): string {
  return flag.short === undefined ? flag.long : `${flag.short}/${flag.long}`;
}
