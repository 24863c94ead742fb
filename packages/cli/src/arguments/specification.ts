/** What a command accepts: the data that parsing, usage lines and help texts are made of (cli.md §3, §17). */

export type FlagKind =
  /** Present or not. */
  | 'switch'
  | 'text'
  | 'integer'
  /** All following words up to the next option; repeated, the last one wins. */
  | 'words'
  /** Exactly two words. */
  | 'pair';

export interface Flag {
  /** The option as typed, e.g. `--name`; also the name its value is asked for by. */
  readonly long: string;
  /** One letter with its dash, e.g. `-n`. */
  readonly short?: string;
  readonly kind: FlagKind;
  readonly help: string;
  /** Shown in help where it is not the upper-case name. */
  readonly value?: string;
}

export type Count =
  | 'one'
  | 'optional'
  /** Any number, also none. */
  | 'any'
  /** At least one. */
  | 'some';

export interface Positional {
  readonly name: string;
  readonly count: Count;
  readonly help: string;
  readonly kind?: 'text' | 'integer';
  readonly choices?: readonly string[];
}

export interface Syntax {
  /** As typed after `cl`. */
  readonly name: string;
  readonly positionals: readonly Positional[];
  readonly flags: readonly Flag[];
  /** Positionals after which every word is one, whatever it looks like: what follows is a command line of its own. */
  readonly optionsEndAfter?: number;
}

export const helpFlag: Flag = { long: '--help', short: '-h', kind: 'switch', help: 'Show this help.' };
export const worksheetFlag: Flag = {
  long: '--worksheet-spec',
  short: '-w',
  kind: 'text',
  value: 'WORKSHEET',
  help: 'Work on this worksheet instead of the current one; `<instance>::<worksheet>` for another server.',
};
