/** All commands in the order of `cl help`, each loaded only when it is called. */
import type { Command } from './command.ts';

export interface CatalogEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  /** One line for the list. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

export interface Group {
  readonly title: string;
  readonly commands: readonly CatalogEntry[];
}

function entry(
  name: string,
  aliases: readonly string[],
  summary: string,
  load: () => Promise<{ readonly command: Command }>,
): CatalogEntry {
  return { name, aliases, summary, load };
}

export const groups: readonly Group[] = [
  {
    title: 'Commands for bundles',
    commands: [
      entry(
        'upload',
        ['up'],
        'Make a bundle of files, a text or a URL.',
        () => import('./commands/upload.ts'),
      ),
      entry(
        'run',
        [],
        'Run a command on bundles; its results become a bundle.',
        () => import('./commands/run.ts'),
      ),
      entry('rm', [], 'Delete bundles.', () => import('./commands/rm.ts')),
      entry('search', ['s'], 'Find bundles on the whole server.', () => import('./commands/search.ts')),
      entry('ls', [], 'List the bundles of a worksheet.', () => import('./commands/ls.ts')),
      entry('info', ['i'], 'Show what is known about bundles.', () => import('./commands/info.ts')),
      entry('cat', [], 'Print a file, or list a directory, of a bundle.', () => import('./commands/cat.ts')),
      entry('wait', [], 'Wait until a bundle is final.', () => import('./commands/wait.ts')),
      entry(
        'download',
        ['down'],
        'Copy a bundle, or a part of it, to this machine.',
        () => import('./commands/download.ts'),
      ),
      entry('kill', [], 'Stop runs.', () => import('./commands/kill.ts')),
      entry(
        'write',
        [],
        'Write a text into a file of a running bundle.',
        () => import('./commands/write.ts'),
      ),
    ],
  },
  {
    title: 'Commands for worksheets',
    commands: [
      entry('new', [], 'Make a worksheet.', () => import('./commands/new.ts')),
      entry('work', ['w'], 'Show or choose the current worksheet.', () => import('./commands/work.ts')),
      entry('print', ['p'], 'Print a worksheet.', () => import('./commands/print.ts')),
    ],
  },
  {
    title: 'Commands for managing server',
    commands: [
      entry(
        'workers',
        [],
        'List the workers that may take your runs.',
        () => import('./commands/workers.ts'),
      ),
    ],
  },
  {
    title: 'Other commands',
    commands: [
      entry('help', [], 'Show this list, or the help of one command.', () => import('./commands/help.ts')),
      entry(
        'status',
        ['st'],
        'Show server, user and current worksheet.',
        () => import('./commands/status.ts'),
      ),
      entry('alias', [], 'Show or set short names of servers.', () => import('./commands/alias.ts')),
      entry('config', [], 'Show or set values of the configuration.', () => import('./commands/config.ts')),
      entry('logout', [], 'Forget who is signed in.', () => import('./commands/logout.ts')),
    ],
  },
];

export function findCommand(name: string): CatalogEntry | undefined {
  for (const { commands } of groups) {
    const found = commands.find((one) => one.name === name || one.aliases.includes(name));
    if (found !== undefined) return found;
  }
  return undefined;
}
