/** What every command file exports as `command`; its name and place in the list are in catalog.ts. */
import type { Arguments } from './arguments/arguments.ts';
import type { Flag, Positional } from './arguments/specification.ts';
import type { Context } from './context.ts';

export interface Command {
  /** What it does, in sentences; lines of their own where they help. */
  readonly description: string;
  readonly positionals: readonly Positional[];
  readonly flags: readonly Flag[];
  /** See `Syntax`. */
  readonly optionsEndAfter?: number;
  /** Command lines with what they do. */
  readonly examples?: readonly (readonly [string, string])[];
  /** @returns the exit code; nothing for 0. */
  run(given: Arguments, context: Context): Promise<number | void>;
}

/** A command with its names and its line in the list. */
export interface CatalogEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  /** One line for the list. */
  readonly summary: string;
  readonly command: Command;
}

export interface Group {
  readonly title: string;
  readonly commands: readonly CatalogEntry[];
}
