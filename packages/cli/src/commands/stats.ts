import { fetchStatistics, type RestClient } from '@sheaf/client';
import type { StatisticsPoint } from '@sheaf/wire';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { BundleWatch } from '../follow/bundle-watch.ts';
import { courseLines, csvLines, pointCells, pointColumns, pointTable } from '../render/statistics.ts';
import { findUuids } from '../targets/bundles.ts';
import { placeOf } from '../targets/place.ts';

export const command: Command = {
  description: [
    'Show what a run uses, or has used: processor cores, memory, disk and processor time, as a course over its life.',
    'There is a point each second; those of long runs are merged, so that there are never more than some 1,200.',
  ].join('\n'),
  positionals: [{ name: 'bundle_spec', count: 'one', help: 'The run.' }],
  flags: [
    { long: '--table', kind: 'switch', help: 'Print every point.' },
    { long: '--json', kind: 'switch', help: 'Print every point of every attempt as JSON.' },
    { long: '--csv', kind: 'switch', help: 'The same as comma-separated values.' },
    {
      long: '--follow',
      short: '-f',
      kind: 'switch',
      help: 'Print new points as they come, until the run is final.',
    },
    worksheetFlag,
  ],
  examples: [
    ['cl stats train', 'the course of the newest run of that name'],
    ['cl stats train --csv > train.csv', 'its points, for a spreadsheet'],
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const [uuid = ''] = await findUuids(context, [given.one('bundle_spec')], place);
    const { columns, attempts } = await fetchStatistics(place.client, uuid);
    if (given.has('--json')) {
      context.print(JSON.stringify({ uuid, columns, attempts }, undefined, 2));
    } else if (given.has('--csv')) {
      for (const line of csvLines(columns, attempts)) context.print(line);
    } else if (given.has('--follow')) {
      await follow(context, place.client, uuid);
    } else if (attempts.length === 0) {
      context.note('Nothing is known of what it used: it has not run yet, or it ran before that was kept.');
    } else {
      for (const attempt of attempts) {
        const lines = given.has('--table') ? pointTable(attempt) : courseLines(attempt);
        for (const line of lines) context.print(line);
      }
    }
  },
};

const pause = 1000;

/** A line a point; the run's end ends it. */
async function follow(context: Context, client: RestClient, uuid: string): Promise<void> {
  const watch = new BundleWatch(client, uuid, { onOutage: (message) => context.note(message) });
  const over = watch.final();
  // Waited for at the end; until then a failure must not be nobody's.
  over.catch(() => undefined);
  const widths = [8, 6, 6, 6, 6, 6];
  const print = (cells: readonly string[]) =>
    context.print(cells.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  '));
  print(pointColumns);
  let from: number | undefined;
  let after = 0;
  for (let wait = 0, final = false; !final; wait = pause) {
    final = await Promise.race([over.then(() => true), sleep(wait)]);
    for (const point of await newPoints(client, uuid, after)) {
      from ??= point[0];
      after = point[0];
      print(pointCells(point, from));
    }
  }
  await over;
}

async function newPoints(client: RestClient, uuid: string, after: number): Promise<StatisticsPoint[]> {
  const { attempts } = await fetchStatistics(client, uuid, { after });
  return attempts.flatMap(({ points }) => points);
}

/** False, after so many milliseconds. */
function sleep(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds));
}
