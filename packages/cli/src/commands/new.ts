import { createWorksheet } from '@sheaf/client';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { placeOf } from '../targets/place.ts';

export const command: Command = {
  description:
    'Make a worksheet and print its uuid. Go to it with `cl work <uuid>`, or at once with --switch.',
  positionals: [
    {
      name: 'name',
      count: 'one',
      help: 'A name that no other worksheet has: letters, digits, "_", "." and "-".',
    },
  ],
  flags: [{ long: '--switch', kind: 'switch', help: 'Make it the current worksheet.' }, worksheetFlag],
  async run(given, context) {
    const { client } = placeOf(context, given.text('--worksheet-spec'));
    const { uuid } = await createWorksheet(client, given.one('name'));
    context.print(uuid);
    if (given.has('--switch')) await context.switchTo({ address: client.address, worksheet_uuid: uuid });
  },
};
