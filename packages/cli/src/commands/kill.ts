import { actOnBundles } from '@sheaf/client';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { findUuids } from '../targets/bundles.ts';
import { placeOf } from '../targets/place.ts';

export const command: Command = {
  description: 'Stop runs, and whatever else is still being made. Prints the uuid of each bundle.',
  positionals: [{ name: 'bundle_spec', count: 'some', help: 'Bundles; `^1-3` for several at once.' }],
  flags: [worksheetFlag],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const uuids = await findUuids(context, given.all('bundle_spec'), place);
    for (const uuid of uuids) context.print(uuid);
    await actOnBundles(
      place.client,
      uuids.map((uuid) => ({ type: 'kill', uuid })),
    );
  },
};
