/** Splits the words of a command line into flags and their values. */
import { parseArgs } from 'node:util';
import { flags, isFlagName, type Flag, type FlagName } from './flags.ts';
import { StartProblem } from './settings.ts';

export interface CommandLine {
  value(name: FlagName): string | undefined;
  has(name: FlagName): boolean;
  /** Flags that nobody knows, which `--skip-unknown-flags` lets pass. */
  readonly unknown: readonly string[];
}

/** @throws StartProblem on unknown flags, missing values and words that are no flags. */
export function parseCommandLine(words: readonly string[]): CommandLine {
  const options = Object.fromEntries(
    flags.map(({ name, ...flag }: Flag) => [
      name,
      { type: flag.value === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...words],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<FlagName, string>();
  const unknown: string[] = [];
  const stray: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') stray.push(token.value);
    if (token.kind !== 'option') continue;
    if (isFlagName(token.name)) given.set(token.name, valueOf(token.name, token.value));
    else unknown.push(token.rawName);
  }
  if (!given.has('skip-unknown-flags')) refuse(unknown, stray);
  return { value: (name) => given.get(name), has: (name) => given.has(name), unknown };
}

function valueOf(name: FlagName, value: string | undefined): string {
  const { value: wanted }: Flag = flags.find((flag) => flag.name === name) ?? {
    name,
    section: 'Other',
    help: '',
  };
  if (wanted !== undefined && (value === undefined || value.startsWith('--'))) {
    throw new StartProblem(`--${name} needs a value: --${name} ${wanted}.`);
  }
  if (wanted === undefined && value !== undefined) throw new StartProblem(`--${name} takes no value.`);
  return value ?? '';
}

function refuse(unknown: readonly string[], stray: readonly string[]): void {
  if (unknown[0] !== undefined) {
    throw new StartProblem(`There is no flag ${unknown[0]}; --help lists those there are.`);
  }
  if (stray[0] !== undefined) {
    throw new StartProblem(`"${stray[0]}" is not a flag; --help shows how to start the worker.`);
  }
}
