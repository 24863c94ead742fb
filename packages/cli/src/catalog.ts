/**
 * All commands in the order of `cl help`. They are loaded together: one file of all of them is read faster than several small
 * ones. What is large, hashing and archives, is loaded when it is needed (docs/decisions/0602-start-of-the-client.md).
 */
import type { CatalogEntry, Command, Group } from './command.ts';
import { command as aliasCommand } from './commands/alias.ts';
import { command as catCommand } from './commands/cat.ts';
import { command as configCommand } from './commands/config.ts';
import { command as downloadCommand } from './commands/download.ts';
import { command as eventsCommand } from './commands/events.ts';
import { helpCommand } from './commands/help.ts';
import { command as execCommand } from './commands/exec.ts';
import { command as infoCommand } from './commands/info.ts';
import { command as killCommand } from './commands/kill.ts';
import { command as logoutCommand } from './commands/logout.ts';
import { command as lsCommand } from './commands/ls.ts';
import { command as makeCommand } from './commands/make.ts';
import { command as netcatCommand } from './commands/netcat.ts';
import { command as newCommand } from './commands/new.ts';
import { command as printCommand } from './commands/print.ts';
import { command as rmCommand } from './commands/rm.ts';
import { command as runCommand } from './commands/run.ts';
import { command as searchCommand } from './commands/search.ts';
import { command as statsCommand } from './commands/stats.ts';
import { command as shellCommand } from './commands/shell.ts';
import { command as statusCommand } from './commands/status.ts';
import { command as uploadCommand } from './commands/upload.ts';
import { command as waitCommand } from './commands/wait.ts';
import { command as workCommand } from './commands/work.ts';
import { command as workersCommand } from './commands/workers.ts';
import { command as writeCommand } from './commands/write.ts';

function entry(name: string, aliases: readonly string[], summary: string, command: Command): CatalogEntry {
  return { name, aliases, summary, command };
}

export const groups: readonly Group[] = [
  {
    title: 'Commands for bundles',
    commands: [
      entry('upload', ['up'], 'Make a bundle of files, a text or a URL.', uploadCommand),
      entry('make', [], 'Make a bundle of parts of others.', makeCommand),
      entry('run', [], 'Run a command on bundles; its results become a bundle.', runCommand),
      entry('rm', [], 'Delete bundles.', rmCommand),
      entry('search', ['s'], 'Find bundles on the whole server.', searchCommand),
      entry('ls', [], 'List the bundles of a worksheet.', lsCommand),
      entry('info', ['i'], 'Show what is known about bundles.', infoCommand),
      entry('events', [], 'Show what has happened to a run.', eventsCommand),
      entry('stats', [], 'Show what a run uses over time.', statsCommand),
      entry('cat', [], 'Print a file, or list a directory, of a bundle.', catCommand),
      entry('wait', [], 'Wait until a bundle is final.', waitCommand),
      entry('download', ['down'], 'Copy a bundle, or a part of it, to this machine.', downloadCommand),
      entry('kill', [], 'Stop runs.', killCommand),
      entry('write', [], 'Write a text into a file of a running bundle.', writeCommand),
      entry('netcat', [], 'Send a message to a port of a running bundle.', netcatCommand),
      entry('exec', [], 'Start a command inside a running bundle.', execCommand),
      entry('shell', [], 'Open a shell inside a running bundle.', shellCommand),
    ],
  },
  {
    title: 'Commands for worksheets',
    commands: [
      entry('new', [], 'Make a worksheet.', newCommand),
      entry('work', ['w'], 'Show or choose the current worksheet.', workCommand),
      entry('print', ['p'], 'Print a worksheet.', printCommand),
    ],
  },
  {
    title: 'Commands for managing server',
    commands: [entry('workers', [], 'List the workers that may take your runs.', workersCommand)],
  },
  {
    title: 'Other commands',
    commands: [
      entry(
        'help',
        [],
        'Show this list, or the help of one command.',
        helpCommand(() => groups),
      ),
      entry('status', ['st'], 'Show server, user and current worksheet.', statusCommand),
      entry('alias', [], 'Show or set short names of servers.', aliasCommand),
      entry('config', [], 'Show or set values of the configuration.', configCommand),
      entry('logout', [], 'Forget who is signed in.', logoutCommand),
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
