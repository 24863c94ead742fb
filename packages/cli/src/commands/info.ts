import type { BundleInclude } from '@sheaf/client';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { fieldValues } from '../info/field-values.ts';
import { showInfo } from '../info/show-info.ts';
import { columnsOf } from '../render/bundle-table.ts';
import { findBundles } from '../targets/bundles.ts';
import { placeOf } from '../targets/place.ts';

const everything: readonly BundleInclude[] = ['owner', 'children', 'group_permissions', 'host_worksheets'];

export const command: Command = {
  description:
    'Show what is known about bundles: state, metadata, dependencies; while a run waits, what it waits for.',
  positionals: [{ name: 'bundle_spec', count: 'some', help: 'Bundles; `^1-3` for several at once.' }],
  flags: [
    {
      long: '--field',
      short: '-f',
      kind: 'text',
      value: 'A,B,…',
      help: 'Only these values, one line a bundle, separated by tabs; `/stats:acc` reads from a file of the bundle.',
    },
    {
      long: '--raw',
      short: '-r',
      kind: 'switch',
      help: 'All values, also those not set, without formatting.',
    },
    {
      long: '--verbose',
      short: '-v',
      kind: 'switch',
      help: 'Also what depends on it, where it is used, all that has happened to it, and its contents.',
    },
    { long: '--json', kind: 'switch', help: 'Print the bundles as JSON.' },
    worksheetFlag,
  ],
  examples: [["cl info -f uuid,state '^'", 'uuid and state of the last bundle of the worksheet']],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const verbose = given.has('--verbose');
    const include = verbose ? everything : (['owner'] as const);
    const bundles = await findBundles(context, given.all('bundle_spec'), place, include);
    const fields = given.text('--field');
    if (given.has('--json')) {
      context.print(JSON.stringify(bundles, undefined, 2));
    } else if (fields === undefined) {
      await showInfo(context, place.client, bundles, { raw: given.has('--raw'), verbose });
    } else {
      for (const values of await fieldValues(place.client, bundles, columnsOf(fields))) {
        context.print(values.join('\t'));
      }
    }
  },
};
