import { fetchEvents, type RestClient } from '@sheaf/client';
import type { BundleEvent } from '@sheaf/wire';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { BundleWatch } from '../follow/bundle-watch.ts';
import { eventCells, eventColumns } from '../render/events.ts';
import { renderTable } from '../render/table.ts';
import { findUuids } from '../targets/bundles.ts';
import { placeOf } from '../targets/place.ts';

export const command: Command = {
  description: [
    'Show what has happened to a run: which workers it was given to, when it began, why it was tried again, who wanted',
    'its end, and how it ended. Each attempt has a number.',
  ].join('\n'),
  positionals: [{ name: 'bundle_spec', count: 'one', help: 'The run, or any other bundle.' }],
  flags: [
    { long: '--json', kind: 'switch', help: 'Print the events as JSON; with --follow one a line.' },
    {
      long: '--follow',
      short: '-f',
      kind: 'switch',
      help: 'Print new events as they come, until the bundle is final.',
    },
    worksheetFlag,
  ],
  examples: [['cl events -f train', 'the life of the newest run of that name, as it happens']],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const [uuid = ''] = await findUuids(context, [given.one('bundle_spec')], place);
    if (given.has('--follow')) {
      await follow(context, place.client, uuid, given.has('--json') ? jsonLine : textLine);
      return;
    }
    const events = await fetchEvents(place.client, uuid);
    if (given.has('--json')) {
      context.print(JSON.stringify(events, undefined, 2));
    } else if (events.length === 0) {
      context.note('Nothing has happened to it yet.');
    } else {
      for (const line of renderTable(eventColumns, events.map(eventCells))) context.print(line.trimEnd());
    }
  },
};

/** Every change of the bundle may have brought events; they are asked for once more when it is final. */
async function follow(
  context: Context,
  client: RestClient,
  uuid: string,
  lineOf: (event: BundleEvent) => string,
): Promise<void> {
  const watch = new BundleWatch(client, uuid, { onOutage: (message) => context.note(message) });
  let printed = 0;
  for (let final = false; !final;) {
    await watch.changed();
    final = watch.isFinal;
    const events = await fetchEvents(client, uuid);
    for (const event of events.slice(printed)) context.print(lineOf(event));
    printed = Math.max(printed, events.length);
  }
}

function jsonLine(event: BundleEvent): string {
  return JSON.stringify(event);
}

function textLine(event: BundleEvent): string {
  const [time, attempt = '', worker = '', what] = eventCells(event);
  return [time, attempt.padStart(2), worker.padEnd(20), what].join('  ');
}
