import { SheafError } from '@sheaf/wire';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { none } from '../render/names.ts';
import { showTarget } from '../render/contents.ts';
import { placeOf } from '../targets/place.ts';
import { findTarget } from '../targets/target.ts';

export const command: Command = {
  description: 'Print a file of a bundle as it is, or list a directory.',
  positionals: [{ name: 'target_spec', count: 'one', help: 'A bundle, or a path in it: <bundle>/<path>.' }],
  flags: [
    { long: '--head', kind: 'integer', value: 'N', help: 'Only the first N lines.' },
    { long: '--tail', short: '-t', kind: 'integer', value: 'N', help: 'Only the last N lines.' },
    worksheetFlag,
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const target = await findTarget(context, given.one('target_spec'), place);
    const head = given.integer('--head');
    const tail = given.integer('--tail');
    try {
      await showTarget(context, target.client, target, {
        ...(head === undefined ? {} : { head }),
        ...(tail === undefined ? {} : { tail }),
      });
    } catch (error) {
      // Scripts look for this on stdout.
      if (error instanceof SheafError && error.code === 'not-found') context.print(none);
      throw error;
    }
  },
};
