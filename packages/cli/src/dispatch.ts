/** One call of `cl`, from its words to its exit code. */
import { foldCommandWords } from '@sheaf/domain';
import { helpText, usageLine, type Described } from './arguments/help-text.ts';
import { parseArguments } from './arguments/parse.ts';
import { SyntaxProblem } from './arguments/syntax-problem.ts';
import { findCommand, groups } from './catalog.ts';
import type { CatalogEntry } from './command.ts';
import { Context, type ContextOptions } from './context.ts';
import { describeFailure } from './failure.ts';
import { BrokenPipe } from './output.ts';
import { overview } from './overview.ts';
import { versionLine } from './version.ts';

/** @throws BrokenPipe where nobody reads the output any more. */
export async function dispatch(words: readonly string[], options: ContextOptions): Promise<number> {
  const [name = 'help', ...rest] = words;
  if (name === '-v' || name === '--version') {
    options.output.write(`${versionLine}\n`);
    return 0;
  }
  if ((name === '-h' || name === '--help') && rest.length === 0) {
    // Scripts know this exit code.
    options.output.write(overview(groups));
    return 2;
  }
  const entry = findCommand(name);
  if (entry === undefined) return unknownCommand(name, options);
  return runCommand(entry, foldCommandWords(rest), options);
}

async function runCommand(
  entry: CatalogEntry,
  words: readonly string[],
  options: ContextOptions,
): Promise<number> {
  const { command, name, aliases } = entry;
  const described: Described = { ...command, name, aliases };
  const context = new Context(options);
  try {
    const given = parseArguments(words, described);
    if (given === 'help') {
      options.output.write(helpText(described));
      return 0;
    }
    return (await command.run(given, context)) ?? 0;
  } catch (error) {
    if (error instanceof BrokenPipe) throw error;
    if (error instanceof SyntaxProblem) return reportSyntax(error, described, options);
    const failure = describeFailure(error);
    options.diagnostics.write(failure.text);
    if (wantsTrace(context) && error instanceof Error) options.diagnostics.write(`${error.stack ?? ''}\n`);
    return failure.exitCode;
  }
}

function reportSyntax(problem: SyntaxProblem, described: Described, { diagnostics }: ContextOptions): number {
  diagnostics.write(`${usageLine(described)}\ncl ${described.name}: error: ${problem.message}\n`);
  if (problem.hint !== undefined) diagnostics.write(`${problem.hint}\n`);
  return 2;
}

function unknownCommand(name: string, { diagnostics }: ContextOptions): number {
  const names = groups.flatMap(({ commands }) => commands.flatMap((one) => [one.name, ...one.aliases]));
  const choices = names.map((one) => `'${one}'`).join(', ');
  diagnostics.write(
    `usage: cl [-v] <command> <arguments>\n` +
      `cl: error: argument command: invalid choice: '${name}' (choose from ${choices})\n`,
  );
  return 2;
}

/** Whether to show where an error comes from; a broken configuration file must not hide the error itself. */
function wantsTrace(context: Context): boolean {
  try {
    return (context.environment['SHEAF_DEBUG'] ?? '') !== '' || context.config.verbosity >= 2;
  } catch {
    return false;
  }
}
