import { targetInfo, type ResolvedTarget, type RestClient } from '@sheaf/client';
import { SheafError } from '@sheaf/wire';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { none } from '../render/names.ts';
import { showTarget } from '../render/contents.ts';
import { placeOf } from '../targets/place.ts';
import { BundleWatch } from '../follow/bundle-watch.ts';
import { followFile } from '../follow/follow-files.ts';
import { findTarget, type FoundTarget } from '../targets/target.ts';
import { UsageError } from '../usage-error.ts';
import type { Context } from '../context.ts';

export const command: Command = {
  description:
    'Print a file of a bundle as it is, or list a directory.\n' +
    'With --follow go on with what a run writes into the file, until the run has ended.',
  positionals: [{ name: 'target_spec', count: 'one', help: 'A bundle, or a path in it: <bundle>/<path>.' }],
  flags: [
    { long: '--head', kind: 'integer', value: 'N', help: 'Only the first N lines.' },
    { long: '--tail', short: '-t', kind: 'integer', value: 'N', help: 'Only the last N lines.' },
    {
      long: '--follow',
      short: '-f',
      kind: 'switch',
      help: 'Go on as the file grows; with --tail begin with its last lines.',
    },
    worksheetFlag,
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const target = await findTarget(context, given.one('target_spec'), place);
    const head = given.integer('--head');
    const tail = given.integer('--tail');
    if (given.has('--follow')) {
      if (head !== undefined) throw new UsageError('--head and --follow do not go together.');
      if (target.subpath === '') {
        throw new UsageError('Only a file is followed.', 'Name one, such as <bundle>/stdout.');
      }
      return await followTarget(context, target, tail);
    }
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

async function followTarget(
  context: Context,
  { client, uuid, subpath }: FoundTarget,
  tail: number | undefined,
): Promise<void> {
  await refuseOtherThanFile(client, { uuid, subpath });
  const watch = new BundleWatch(client, uuid, { onOutage: (message) => context.note(message) });
  const begin = tail === undefined ? { fromEnd: false } : { fromEnd: true, lastLines: tail };
  await followFile(context, subpath, { client, uuid, watch, ...begin });
}

/** @throws UsageError for what is there and is no file; what is not there may come. */
async function refuseOtherThanFile(client: RestClient, target: ResolvedTarget): Promise<void> {
  try {
    const { type } = await targetInfo(client, target, 0);
    if (type !== 'file') {
      throw new UsageError(
        `${target.subpath} is ${type === '' ? 'no file' : `a ${type}`}: only a file is followed.`,
      );
    }
  } catch (error) {
    if (!(error instanceof SheafError) || error.code !== 'not-found') throw error;
  }
}
