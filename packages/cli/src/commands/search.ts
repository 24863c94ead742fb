import { appendBundles, searchBundles } from '@sheaf/client';
import { pythonText } from '@sheaf/domain';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { bundleTable, standardColumns } from '../render/bundle-table.ts';
import { worksheetText } from '../render/names.ts';
import { placeOf } from '../targets/place.ts';

/** Results of a search that sets no limit itself. */
const standardLimit = 10;

export const command: Command = {
  description: [
    'Find bundles on the whole server. All keywords must hold:',
    '  word                     the name or the uuid contains it',
    '  <field>=<value>          a field equals a value; `.*` stands for anything, commas separate alternatives',
    '  owner= group= host_worksheet= dependency= dependency/<key>=',
    '  .mine .shared .floating .last',
    '  .limit=N .offset=N       10 results unless told',
    '  .before=T .after=T       made before or after a date',
    '  <field>=.sort, <field>=.sort-, <field>=.sum, .count, .format=<f>',
    '`-w` chooses the server and where `-a` puts the bundles; it does not restrict the search: use host_worksheet=<uuid>.',
  ].join('\n'),
  positionals: [{ name: 'keywords', count: 'some', help: 'What to look for.' }],
  flags: [
    {
      long: '--field',
      short: '-f',
      kind: 'text',
      value: 'A,B,…',
      help: `Columns to show; ${standardColumns} unless told.`,
    },
    { long: '--append', short: '-a', kind: 'switch', help: 'Put the bundles found on the worksheet.' },
    { long: '--uuid-only', short: '-u', kind: 'switch', help: 'Print only the uuids.' },
    { long: '--json', kind: 'switch', help: 'Print the bundles as JSON.' },
    worksheetFlag,
  ],
  examples: [
    ['cl search .mine state=failed', 'my bundles that failed'],
    ['cl search .mine size=.sum', 'how much my bundles weigh'],
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const keywords = given.all('keywords');
    const result = await searchBundles(place.client, keywords, { include: ['owner'] });
    if (result.kind === 'value') {
      context.print(pythonText(result.value));
      return;
    }
    const { bundles } = result;
    if (given.has('--json')) context.print(JSON.stringify(bundles, undefined, 2));
    else if (given.has('--uuid-only')) for (const { uuid } of bundles) context.print(uuid);
    else if (bundles.length === 0) context.note('No results found');
    else {
      const fields = given.text('--field') ?? standardColumns;
      for (const line of bundleTable(bundles, fields, { numbered: false })) context.print(line);
    }
    if (bundles.length === standardLimit && !keywords.some((one) => one.startsWith('.limit='))) {
      context.note(`Only ${standardLimit} results are shown. Use .limit=N to show the first N results.`);
    }
    if (given.has('--append')) {
      const { worksheet } = await place.worksheet();
      await appendBundles(
        place.client,
        worksheet.uuid,
        bundles.map(({ uuid }) => uuid),
      );
      context.print(`Added ${bundles.length} bundles to ${worksheetText(place.client.address, worksheet)}`);
    }
  },
};
