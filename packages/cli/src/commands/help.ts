import { helpText, type Described } from '../arguments/help-text.ts';
import type { CatalogEntry, Command, Group } from '../command.ts';
import { overview } from '../overview.ts';
import { UsageError } from '../usage-error.ts';
import { versionLine } from '../version.ts';

/** @param list all commands; asked for late, because this one is among them. */
export function helpCommand(list: () => readonly Group[]): Command {
  return {
    description: 'Show all commands, or everything about one of them.',
    positionals: [{ name: 'command', count: 'optional', help: 'The command to explain.' }],
    flags: [
      { long: '--verbose', short: '-v', kind: 'switch', help: 'Show the arguments of every command.' },
      { long: '--markdown', short: '-m', kind: 'switch', help: 'With -v: as Markdown.' },
    ],
    async run(given, context) {
      const name = given.optional('command');
      if (name !== undefined) context.write(helpText(describe(find(list(), name))));
      else if (given.has('--verbose')) context.write(reference(list(), given.has('--markdown')));
      else context.write(overview(list()));
    },
  };
}

function find(groups: readonly Group[], name: string): CatalogEntry {
  const entries = groups.flatMap(({ commands }) => commands);
  const found = entries.find((one) => one.name === name || one.aliases.includes(name));
  if (found === undefined) throw new UsageError(`There is no command "${name}".`, '`cl help` lists all.');
  return found;
}

function describe({ command, name, aliases }: CatalogEntry): Described {
  return { ...command, name, aliases };
}

function reference(groups: readonly Group[], markdown: boolean): string {
  const parts = [`${versionLine}\n`];
  for (const { title, commands } of groups) {
    parts.push(markdown ? `## ${title}\n` : `${title}:\n`);
    for (const entry of commands) {
      const text = helpText(describe(entry));
      parts.push(markdown ? `### ${entry.name}\n\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n` : text);
    }
  }
  return parts.join('\n');
}
