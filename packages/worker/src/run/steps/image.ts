/** Decides in what a run executes: in the image it named, in the server's default one, or, said plainly, in neither. */
import { ImageError, type PreparedImage, type Runtime } from '@sheaf/runtimes';
import type { RunResources } from '@sheaf/wire';
import { pauseAfter } from '../../back-off.ts';
import { causeOf } from '../causes.ts';
import { RunFailure } from '../interruption.ts';
import type { Runtimes } from '../runtimes.ts';
import type { Attempt } from '../tools.ts';

const backOff = { first: 1000, longest: 30_000 };

interface ChosenRuntime {
  readonly runtime: Runtime;
  readonly image: PreparedImage | null;
  /** Why the run has no image although there are some on this machine. */
  readonly note: string | null;
}

/**
 * Prepares what the run executes in, keeps it for the run, and notes it down.
 * @param say words for the user about what is waited for
 */
export async function prepareImage(attempt: Attempt, say: (status: string) => void): Promise<void> {
  const { run, tools } = attempt;
  const { runtime, image, note } = await chooseRuntime(attempt, say);
  if (image !== null) tools.images.hold(run.uuid, image);
  run.record.runtime = runtime.name;
  run.record.image = image;
  run.record.note = note;
}

/**
 * A run that named an image gets that image or fails; only one that named none may execute without
 * (docs/decisions/0004).
 */
async function chooseRuntime(attempt: Attempt, say: (status: string) => void): Promise<ChosenRuntime> {
  const { run, tools, signal } = attempt;
  const { resources } = run.record.message;
  const reference = resources.docker_image;
  const { primary } = tools.runtimes;
  if (!primary.capabilities.images && resources.image_requested === false) {
    return { runtime: primary, image: null, note: null };
  }
  const fallback = fallbackFor(resources, tools.runtimes);
  const missing = fallback === undefined ? undefined : tools.images.missing(reference);
  if (fallback !== undefined && missing !== undefined) return withoutImage(fallback, reference, missing);
  try {
    const image = await downloadImage(attempt, reference, say, fallback === undefined);
    say('');
    return { runtime: primary, image, note: null };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ImageError)) throw error;
    if (fallback === undefined) {
      throw new RunFailure(
        `Failed to download Docker image: ${error.message}`,
        causeOf(error, 'image-refused'),
        {
          cause: error,
        },
      );
    }
    tools.images.noteMissing(reference, error.message);
    return withoutImage(fallback, reference, error.message);
  }
}

/** A registry that is away is asked again where nothing else executes the run. @throws ImageError */
async function downloadImage(
  { tools, signal }: Attempt,
  reference: string,
  say: (status: string) => void,
  insist: boolean,
): Promise<PreparedImage> {
  const attempts = insist ? tools.settings.downloadAttempts : 1;
  for (let failures = 1; ; failures += 1) {
    let leave: (() => void) | undefined;
    try {
      return await tools.runtimes.primary.prepareImage(reference, {
        signal,
        onProgress: (status) => {
          // Something is being downloaded, and this run waits for it.
          leave ??= tools.precedence.enter();
          say(status);
        },
        maximumSize: tools.settings.maximumImageSize ?? undefined,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ImageError) || !error.transient || failures >= attempts) throw error;
      say(`Trying again: ${error.message}`);
    } finally {
      leave?.();
    }
    await tools.clock.sleep(pauseAfter(failures, backOff, tools.random()), signal);
  }
}

/** What executes the run should its image not be had: nothing where it named that image, or needs what the fallback lacks. */
function fallbackFor({ image_requested, gpus }: RunResources, { fallback }: Runtimes): Runtime | undefined {
  const lacksGpus = gpus > 0 && fallback?.capabilities.gpus !== true;
  return image_requested !== false || lacksGpus ? undefined : fallback;
}

function withoutImage(runtime: Runtime, reference: string, reason: string): ChosenRuntime {
  return {
    runtime,
    image: null,
    note: `Running in the sandbox of the worker, without an image: the default image ${reference} cannot be had (${reason}).`,
  };
}
