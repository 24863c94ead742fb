/** The parsed words of one command line, asked for by name. */

export type FlagValue = true | string | number | readonly string[];

export class Arguments {
  readonly #flags: ReadonlyMap<string, FlagValue>;
  readonly #positionals: ReadonlyMap<string, readonly string[]>;

  constructor(flags: ReadonlyMap<string, FlagValue>, positionals: ReadonlyMap<string, readonly string[]>) {
    this.#flags = flags;
    this.#positionals = positionals;
  }

  /** Whether a switch was given. */
  has(long: string): boolean {
    return this.#flags.has(long);
  }

  text(long: string): string | undefined {
    const value = this.#flags.get(long);
    return typeof value === 'string' ? value : undefined;
  }

  integer(long: string): number | undefined {
    const value = this.#flags.get(long);
    return typeof value === 'number' ? value : undefined;
  }

  /** The words of a list or pair; undefined where the option was not given, empty where it was given without any. */
  words(long: string): readonly string[] | undefined {
    const value = this.#flags.get(long);
    return Array.isArray(value) ? (value as readonly string[]) : undefined;
  }

  /** All words of a positional. */
  all(name: string): readonly string[] {
    return this.#positionals.get(name) ?? [];
  }

  /** The word of a positional that must be there; parsing has made sure of it. */
  one(name: string): string {
    const [word] = this.all(name);
    if (word === undefined) throw new Error(`The syntax of this command has no positional "${name}".`);
    return word;
  }

  optional(name: string): string | undefined {
    return this.all(name)[0];
  }
}
