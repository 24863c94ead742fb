import { helpText, type Described } from '../arguments/help-text.ts';
import { findCommand, groups, type CatalogEntry } from '../catalog.ts';
import type { Command } from '../command.ts';
import { overview } from '../overview.ts';
import { UsageError } from '../usage-error.ts';
import { versionLine } from '../version.ts';

export const command: Command = {
  description: 'Show all commands, or everything about one of them.',
  positionals: [{ name: 'command', count: 'optional', help: 'The command to explain.' }],
  flags: [
    { long: '--verbose', short: '-v', kind: 'switch', help: 'Show the arguments of every command.' },
    { long: '--markdown', short: '-m', kind: 'switch', help: 'With -v: as Markdown.' },
  ],
  async run(given, context) {
    const name = given.optional('command');
    if (name !== undefined) {
      const entry = findCommand(name);
      if (entry === undefined) throw new UsageError(`There is no command "${name}".`, '`cl help` lists all.');
      context.write(helpText(await describe(entry)));
    } else if (given.has('--verbose')) {
      context.write(await reference(given.has('--markdown')));
    } else context.write(overview());
  },
};

async function describe(entry: CatalogEntry): Promise<Described> {
  const loaded = await entry.load();
  return { ...loaded.command, name: entry.name, aliases: entry.aliases };
}

async function reference(markdown: boolean): Promise<string> {
  const parts = [`${versionLine}\n`];
  for (const { title, commands } of groups) {
    parts.push(markdown ? `## ${title}\n` : `${title}:\n`);
    for (const entry of commands) {
      const text = helpText(await describe(entry));
      parts.push(markdown ? `### ${entry.name}\n\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n` : text);
    }
  }
  return parts.join('\n');
}
