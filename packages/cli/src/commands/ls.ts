import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { bundleTable, standardColumns } from '../render/bundle-table.ts';
import { worksheetHeader } from '../render/names.ts';
import { waitingLines } from '../render/waiting.ts';
import { placeOf } from '../targets/place.ts';

export const command: Command = {
  description:
    'List the bundles of a worksheet in order. `^N` in the column `ref` names a bundle in other commands.',
  positionals: [],
  flags: [
    {
      long: '--field',
      short: '-f',
      kind: 'text',
      value: 'A,B,…',
      help: `Columns to show; ${standardColumns} unless told.`,
    },
    { long: '--uuid-only', short: '-u', kind: 'switch', help: 'Print only the uuids.' },
    { long: '--json', kind: 'switch', help: 'Print the bundles as JSON.' },
    worksheetFlag,
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const include = ['owner', 'group_permissions', 'items', 'items.bundle', 'items.bundle.owner'];
    const { worksheet } = await place.worksheet(include);
    const bundles = (worksheet.items ?? []).flatMap(({ type, bundle }) =>
      type === 'bundle' && bundle?.uuid !== undefined ? [bundle] : [],
    );
    if (given.has('--json')) {
      context.print(JSON.stringify(bundles, undefined, 2));
    } else if (given.has('--uuid-only')) {
      for (const { uuid } of bundles) context.print(uuid);
    } else {
      for (const line of worksheetHeader(place.client.address, worksheet)) context.print(line);
      const fields = given.text('--field') ?? standardColumns;
      for (const line of bundleTable(bundles, fields, { numbered: true })) context.print(line);
      for (const line of waitingLines(bundles, Date.now() / 1000)) context.note(line);
    }
  },
};
