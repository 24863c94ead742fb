import { netcat } from '@sheaf/client';
import { readFileSync } from 'node:fs';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { placeOf } from '../targets/place.ts';
import { findRun } from '../targets/run.ts';

export const command: Command = {
  description:
    'Send a message to a TCP port that a program in a running bundle listens on. Prints what comes back until the program closes.',
  positionals: [
    { name: 'bundle_spec', count: 'one', help: 'A running bundle.' },
    { name: 'port', count: 'one', kind: 'integer', help: 'The port, as the program knows it.' },
    { name: 'message', count: 'one', help: 'The text.' },
  ],
  flags: [
    {
      long: '--file',
      short: '-f',
      kind: 'text',
      value: 'FILE',
      help: 'Send the text of this file after the message.',
    },
    { long: '--verbose', kind: 'switch', help: 'Has no effect.' },
    worksheetFlag,
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const { client, uuid } = await findRun(context, given.one('bundle_spec'), place);
    const file = given.text('--file');
    const message = given.one('message') + (file === undefined ? '' : readFileSync(file, 'utf8'));
    const { body } = await netcat(client, uuid, Number(given.one('port')), message);
    for await (const chunk of body) context.write(chunk);
  },
};
