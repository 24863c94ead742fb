import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { runSession } from '../session/run-session.ts';
import { hasTerminal } from '../session/terminal.ts';
import { placeOf } from '../targets/place.ts';
import { findRun } from '../targets/run.ts';

export const command: Command = {
  description:
    'Open a shell inside a running bundle, to look around while it works; `exit` leaves it, and the run goes on.\n' +
    'Without a terminal it executes what it is given as input.',
  positionals: [{ name: 'bundle_spec', count: 'one', help: 'A running bundle that you may change.' }],
  flags: [worksheetFlag],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const { client, uuid } = await findRun(context, given.one('bundle_spec'), place);
    return await runSession(context, client, uuid, { command: [], terminal: hasTerminal(), input: true });
  },
};
