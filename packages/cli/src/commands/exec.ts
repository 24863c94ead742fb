import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { runSession } from '../session/run-session.ts';
import { hasTerminal } from '../session/terminal.ts';
import { placeOf } from '../targets/place.ts';
import { findRun } from '../targets/run.ts';
import { UsageError } from '../usage-error.ts';

export const command: Command = {
  description:
    'Start a command inside a running bundle: in its directory, with its files, user, environment and limits.\n' +
    'One word is a line for the shell; several are a command and its arguments, taken as they are.\n' +
    'The input of cl becomes that of the command, and its exit code becomes that of cl. Ctrl-C kills it; the run goes on.',
  positionals: [
    { name: 'bundle_spec', count: 'one', help: 'A running bundle that you may change.' },
    { name: 'command', count: 'some', help: 'The command; options of cl exec stand before the bundle.' },
  ],
  flags: [
    { long: '--tty', short: '-t', kind: 'switch', help: 'Give the command this terminal.' },
    { long: '--no-stdin', short: '-n', kind: 'switch', help: 'Give the command no input.' },
    worksheetFlag,
  ],
  optionsEndAfter: 1,
  examples: [
    ['cl exec train nvidia-smi', 'What its GPUs do.'],
    ["cl exec train 'tail -n 3 log | cut -f 2'", 'A line for the shell.'],
    ['cl exec -t train top', 'With a terminal.'],
  ],
  async run(given, context) {
    const terminal = given.has('--tty');
    if (terminal && !hasTerminal()) {
      throw new UsageError('There is no terminal to give to the command.', 'Leave out --tty.');
    }
    const place = placeOf(context, given.text('--worksheet-spec'));
    const { client, uuid } = await findRun(context, given.one('bundle_spec'), place);
    const words = given.all('command');
    return await runSession(context, client, uuid, {
      command: words.length === 1 ? ['/bin/sh', '-c', ...words] : words,
      terminal,
      input: terminal || !given.has('--no-stdin'),
    });
  },
};
