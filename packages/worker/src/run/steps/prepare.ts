/** Gets everything a run needs before its command can start, all of it at once (execution.md §17.2). */
import { setMaxListeners } from 'node:events';
import type { Step } from '../record.ts';
import { sharedDirectoryOf } from '../shared-directory.ts';
import { StatusLine } from '../status-line.ts';
import type { Attempt } from '../tools.ts';
import { fetchDependencies } from './dependencies.ts';
import { prepareImage } from './image.ts';
import { waitForResources } from './resources.ts';
import { useSharedDependencies } from './shared-dependencies.ts';

export async function prepare(attempt: Attempt): Promise<Step> {
  const { run } = attempt;
  const status = new StatusLine((text) => run.say(text));
  await together(attempt, [
    (part) => waitForResources(part, status.part('resources')),
    (part) =>
      sharedDirectoryOf(run.record.message) === undefined
        ? fetchDependencies(part, status.part('dependencies'))
        : useSharedDependencies(part),
    (part) => prepareImage(part, status.part('image')),
  ]);
  return 'start';
}

/** Does several things at once; the first failure stops the others, and counts. */
async function together(
  attempt: Attempt,
  works: readonly ((part: Attempt) => Promise<void>)[],
): Promise<void> {
  const stop = new AbortController();
  const part = { ...attempt, signal: AbortSignal.any([attempt.signal, stop.signal]) };
  // Each dependency listens to it, and a run may have many.
  setMaxListeners(0, part.signal);
  let failed: { readonly cause: unknown } | undefined;
  await Promise.all(
    works.map(async (work) => {
      try {
        await work(part);
      } catch (cause) {
        failed ??= { cause };
        stop.abort(new Error('another part has failed'));
      }
    }),
  );
  if (failed !== undefined) throw failed.cause;
}
