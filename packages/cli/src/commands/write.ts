import { actOnBundles } from '@sheaf/client';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { placeOf } from '../targets/place.ts';
import { findTarget } from '../targets/target.ts';
import { UsageError } from '../usage-error.ts';

export const command: Command = {
  description: 'Write a text into a file of a running bundle, to talk to its program. Prints the uuid.',
  positionals: [
    {
      name: 'target_spec',
      count: 'one',
      help: 'The bundle and the name of the file in it: <bundle>/<file>.',
    },
    { name: 'string', count: 'one', help: 'The text.' },
  ],
  flags: [worksheetFlag],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const target = await findTarget(context, given.one('target_spec'), place);
    if (!/^[a-zA-Z0-9_.-]*$/.test(target.subpath)) {
      throw new UsageError(
        `"${target.subpath}" cannot be written to: only files directly in the bundle, with letters, digits, "_", "." and "-".`,
      );
    }
    const { uuid, subpath } = target;
    await actOnBundles(target.client, [{ type: 'write', uuid, subpath, string: given.one('string') }]);
    context.print(uuid);
  },
};
