/** The text of `cl help` (cli.md §11.1). */
import type { Group } from './command.ts';
import { versionLine } from './version.ts';

export function overview(groups: readonly Group[]): string {
  const label = ({ name, aliases }: { name: string; aliases: readonly string[] }) =>
    aliases.length === 0 ? name : `${name} (${aliases.join(', ')})`;
  const width = Math.max(...groups.flatMap(({ commands }) => commands.map((one) => label(one).length)));
  const lines = [versionLine, 'Usage: cl <command> <arguments>', ''];
  for (const { title, commands } of groups) {
    lines.push(`${title}:`);
    for (const one of commands) lines.push(`  ${label(one).padEnd(width)}  ${one.summary}`);
    lines.push('');
  }
  lines.push('`cl help <command>` shows the arguments of a command.');
  return `${lines.join('\n')}\n`;
}
