import { deleteBundles, resolveBundles } from '@sheaf/client';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { bundleTable, standardColumns } from '../render/bundle-table.ts';
import { findUuids } from '../targets/bundles.ts';
import { placeOf } from '../targets/place.ts';

export const command: Command = {
  description: 'Delete bundles for good. Prints the uuid of each one that went.',
  positionals: [{ name: 'bundle_spec', count: 'any', help: 'Bundles; `^1-3` for several at once.' }],
  flags: [
    {
      long: '--force',
      kind: 'switch',
      help: 'Even if other bundles depend on them, or they are on several worksheets.',
    },
    {
      long: '--recursive',
      short: '-r',
      kind: 'switch',
      help: 'Together with all bundles that depend on them.',
    },
    {
      long: '--data-only',
      short: '-d',
      kind: 'switch',
      help: 'Only the contents; what is known about them stays.',
    },
    { long: '--dry-run', short: '-i', kind: 'switch', help: 'Only show what would go.' },
    worksheetFlag,
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const uuids = await findUuids(context, given.all('bundle_spec'), place);
    if (uuids.length === 0) return;
    const dryRun = given.has('--dry-run');
    const gone = await deleteBundles(place.client, uuids, {
      force: given.has('--force'),
      recursive: given.has('--recursive'),
      dataOnly: given.has('--data-only'),
      dryRun,
    });
    if (!dryRun) {
      for (const uuid of gone) context.print(uuid);
      return;
    }
    context.print('This command would permanently remove the following bundles (not doing so yet):');
    const bundles = await resolveBundles(place.client, gone, { include: ['owner'] });
    for (const line of bundleTable(bundles, standardColumns, { numbered: false })) context.print(line);
  },
};
