import { parseDuration } from '@sheaf/domain';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { BundleWatch } from '../follow/bundle-watch.ts';
import { followFile, followOutputs } from '../follow/follow-files.ts';
import { WaitingNotes } from '../follow/waiting-notes.ts';
import { placeOf } from '../targets/place.ts';
import { findTarget } from '../targets/target.ts';
import { UsageError, valueOf } from '../usage-error.ts';

export const command: Command = {
  description: [
    'Wait until a bundle is final. Prints its uuid and succeeds if it is ready; otherwise says its state on stderr and',
    'ends with code 1. While it does not go on for long, stderr says why.',
  ].join('\n'),
  positionals: [
    { name: 'target_spec', count: 'one', help: 'The bundle; with a path in it, --tail shows that file.' },
  ],
  flags: [
    {
      long: '--tail',
      short: '-t',
      kind: 'switch',
      help: 'Meanwhile show what the run writes: stdout and stderr, or the file named.',
    },
    { long: '--timeout', kind: 'text', value: 'DURATION', help: 'Give up after this time, e.g. 30m.' },
    worksheetFlag,
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const target = await findTarget(context, given.one('target_spec'), place);
    const limit = timeLimit(given.text('--timeout'));
    const note = (message: string): void => context.note(message);
    const waiting = new WaitingNotes({ client: target.client, uuid: target.uuid, note });
    const watch = new BundleWatch(target.client, target.uuid, {
      onOutage: note,
      ...(given.has('--tail') ? {} : { onChange: (change) => waiting.changed(change) }),
      ...(limit === undefined ? {} : { signal: limit.signal }),
    });
    try {
      if (given.has('--tail')) {
        waiting.watch();
        const options = { client: target.client, uuid: target.uuid, watch, fromEnd: true };
        await (target.subpath === ''
          ? followOutputs(context, options)
          : followFile(context, target.subpath, options));
      }
      const { state } = await watch.final();
      if (state !== 'ready') {
        context.note(state);
        return 1;
      }
      context.print(target.uuid);
      return 0;
    } finally {
      waiting.stop();
      limit?.cancel();
    }
  },
};

interface TimeLimit {
  readonly signal: AbortSignal;
  cancel(): void;
}

function timeLimit(text: string | undefined): TimeLimit | undefined {
  if (text === undefined) return undefined;
  const seconds = valueOf(parseDuration(text));
  const controller = new AbortController();
  const timer = setTimeout(
    () =>
      controller.abort(
        new UsageError(
          `The bundle was not final after ${text}.`,
          'Wait longer, or look at it with `cl info`.',
        ),
      ),
    seconds * 1000,
  );
  return { signal: controller.signal, cancel: () => clearTimeout(timer) };
}
