/** Usage lines and the help of one command. */
import { labelOf } from './parse.ts';
import { helpFlag, type Flag, type Positional, type Syntax } from './specification.ts';

/** One line: `usage: cl cat [-h] [--head HEAD] target_spec`. */
export function usageLine(syntax: Syntax): string {
  const flags = [helpFlag, ...syntax.flags].map((flag) => {
    const value = valueText(flag);
    return `[${flag.short ?? flag.long}${value === '' ? '' : ` ${value}`}]`;
  });
  return ['usage: cl', syntax.name, ...flags, ...syntax.positionals.map(positionalText)].join(' ');
}

export interface Described extends Syntax {
  readonly aliases: readonly string[];
  readonly description: string;
  /** Command lines with what they do. */
  readonly examples?: readonly (readonly [string, string])[];
}

/** The whole help of a command, ending in a newline. */
export function helpText(command: Described): string {
  const aliases = command.aliases.length === 0 ? [] : [`Also: cl ${command.aliases.join(', cl ')}`, ''];
  const sections = [
    section(
      'Arguments:',
      command.positionals.map((one) => [one.name, one.help] as const),
    ),
    section(
      'Options:',
      [helpFlag, ...command.flags].map((flag) => [flagText(flag), flag.help] as const),
    ),
    section('Examples:', command.examples ?? []),
  ];
  return [usageLine(command), '', command.description, '', ...aliases, ...sections.flat()].join('\n');
}

function section(title: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  const lines = rows.map(([left, right]) =>
    left.length > width ? `  ${left}\n  ${' '.repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`,
  );
  return [title, ...lines, ''];
}

function flagText(flag: Flag): string {
  const value = valueText(flag);
  return `${labelOf(flag).replace('/', ', ')}${value === '' ? '' : ` ${value}`}`;
}

function valueText(flag: Flag): string {
  const name = flag.value ?? flag.long.replace(/^--/, '').toUpperCase().replaceAll('-', '_');
  switch (flag.kind) {
    case 'switch':
      return '';
    case 'text':
    case 'integer':
      return name;
    case 'words':
      return `[${name} ...]`;
    case 'pair':
      return flag.value ?? 'KEY VALUE';
  }
}

function positionalText({ name, count, choices }: Positional): string {
  const shown = choices === undefined ? name : `{${choices.join(',')}}`;
  switch (count) {
    case 'one':
      return shown;
    case 'optional':
      return `[${shown}]`;
    case 'any':
      return `[${shown} ...]`;
    case 'some':
      return `${shown} [${shown} ...]`;
  }
}
