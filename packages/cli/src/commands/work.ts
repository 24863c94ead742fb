import type { Command } from '../command.ts';
import { worksheetText } from '../render/names.ts';
import { placeOf } from '../targets/place.ts';

export const command: Command = {
  description: 'Show the current worksheet, or make another one current for this shell and what it starts.',
  positionals: [
    {
      name: 'worksheet_spec',
      count: 'optional',
      help: 'A name, a uuid, or / for your home worksheet; `<instance>::<worksheet>` on another server.',
    },
  ],
  flags: [{ long: '--uuid-only', short: '-u', kind: 'switch', help: 'Print only the uuid.' }],
  examples: [['cl work http://localhost:2900::', 'go to your home worksheet on that server']],
  async run(given, context) {
    const spec = given.optional('worksheet_spec');
    const place = placeOf(context, spec);
    const { worksheet } = await place.worksheet();
    if (spec !== undefined) {
      await context.switchTo({ address: place.client.address, worksheet_uuid: worksheet.uuid });
    }
    const text = worksheetText(place.client.address, worksheet);
    if (given.has('--uuid-only')) context.print(worksheet.uuid);
    else
      context.print(`${spec === undefined ? 'Currently on worksheet:' : 'Switched to worksheet:'} ${text}`);
  },
};
