import { appendBundles, createBundle, fetchBundle } from '@sheaf/client';
import { rewriteCommand, runName } from '@sheaf/domain';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Arguments } from '../arguments/arguments.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { BundleWatch } from '../follow/bundle-watch.ts';
import { followOutputs } from '../follow/follow-files.ts';
import { WaitingNotes } from '../follow/waiting-notes.ts';
import { showInfo } from '../info/show-info.ts';
import { metadataFlags, metadataOf } from '../metadata-flags.ts';
import { resolveDependencies } from '../targets/dependencies.ts';
import { placeOf, type Place } from '../targets/place.ts';
import { findMemoized } from '../targets/same-result.ts';
import { UsageError, valueOf } from '../usage-error.ts';

export const command: Command = {
  description: [
    'Run a command on a worker. Prints the uuid of the new bundle, which will hold what the command writes.',
    'Inputs are bundles: `<key>:<target>` puts one under a name into the directory of the run. `%target%` inside the',
    'command stands for an input, too. Everything after `---` is the command, quoted as typed.',
  ].join('\n'),
  positionals: [
    { name: 'target_spec', count: 'any', help: 'Inputs: [<key>:][<worksheet>//]<bundle>[/<path>].' },
    { name: 'command', count: 'one', help: 'The command line, for a shell.' },
  ],
  flags: [
    worksheetFlag,
    {
      long: '--after_sort_key',
      short: '-a',
      kind: 'text',
      value: 'N',
      help: 'Insert after this position of the worksheet.',
    },
    {
      long: '--memoize',
      short: '-m',
      kind: 'switch',
      help: 'Where the same command has run on the same contents in the same image, or is running, take that bundle.',
    },
    ...metadataFlags('run'),
    { long: '--edit', short: '-e', kind: 'switch', help: 'Accepted for older scripts; has no effect.' },
    { long: '--wait', short: '-W', kind: 'switch', help: 'Wait until it is final, then show it.' },
    {
      long: '--tail',
      short: '-t',
      kind: 'switch',
      help: 'Show stdout and stderr as they are written, until it is final.',
    },
    { long: '--verbose', short: '-v', kind: 'switch', help: 'Show more with --wait and --tail.' },
    {
      long: '--check',
      kind: 'switch',
      help: 'With --wait or --tail: end with code 1 unless the run ends ready.',
    },
  ],
  examples: [
    ["cl run script.py:script.py data:corpus 'python script.py data'", 'run a script on a data set'],
    ["cl run 'wc -l %corpus%/train.txt' -t", 'name the input inside the command, and watch the output'],
    ['cl run :script.py --- python script.py --rate 0.1', 'no quoting of the command'],
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const typed = valueOf(rewriteCommand(given.all('target_spec'), given.one('command')));
    const metadata = metadataOf('run', given, runName(typed.command));
    const afterSortKey = sortKey(given.text('--after_sort_key'));
    const dependencies = await resolveDependencies(context, 'run', typed.dependencies, place);
    if (typed.command.trim() === '') throw new UsageError('The command cannot be empty.');
    const bundle = { bundle_type: 'run', command: typed.command, metadata, dependencies };
    if (given.has('--memoize')) {
      const found = await findMemoized(place.client, bundle);
      if ('uuid' in found) {
        await appendBundles(place.client, await place.uuid(), [found.uuid]);
        context.print(found.uuid);
        context.note(found.note);
        return found.underWay ? follow(given, context, place, found.uuid) : 0;
      }
      if (found.reason !== undefined) context.note(`No former result is looked for: ${found.reason}`);
    }
    const { uuid } = await createBundle(place.client, bundle, {
      worksheet: await place.uuid(),
      after_sort_key: afterSortKey,
    });
    context.print(uuid);
    return follow(given, context, place, uuid);
  },
};

function sortKey(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw new UsageError(`--after_sort_key takes a number, not "${text}".`);
  return Number(text);
}

async function follow(given: Arguments, context: Context, place: Place, uuid: string): Promise<number> {
  const [wait, tail, verbose] = [given.has('--wait'), given.has('--tail'), given.has('--verbose')];
  if (!wait && !tail) return 0;
  const { client } = place;
  const note = (message: string): void => context.note(message);
  const waiting = new WaitingNotes({ client, uuid, note });
  const watch = new BundleWatch(client, uuid, {
    onOutage: note,
    ...(tail ? {} : { onChange: (change) => waiting.changed(change) }),
  });
  try {
    if (tail) {
      waiting.watch();
      await followOutputs(context, { client, uuid, watch, fromEnd: false });
    }
    await watch.final();
  } finally {
    waiting.stop();
  }
  const { state } = await watch.final();
  if (wait || verbose) {
    const include = verbose
      ? (['owner', 'children', 'group_permissions', 'host_worksheets'] as const)
      : (['owner'] as const);
    await showInfo(context, client, [await fetchBundle(client, uuid, include)], { raw: false, verbose });
  } else if (state !== 'ready') {
    context.note(`The run ended ${state}; \`cl info ${uuid}\` says why.`);
  }
  return given.has('--check') && state !== 'ready' ? 1 : 0;
}
