/** Decides in what a run executes: in the image it named, in the server's default one, or, said plainly, in neither. */
import { ImageError, type PreparedImage, type Runtime } from '@sheaf/runtimes';
import { RunFailure } from '../interruption.ts';
import type { Attempt } from '../tools.ts';

export interface ChosenRuntime {
  readonly runtime: Runtime;
  readonly image: PreparedImage | null;
  /** Why the run has no image although there are some on this machine. */
  readonly note: string | null;
}

/**
 * Prepares the image of a run. A run that named an image gets that image or fails; only one that named none may execute without
 * (docs/decisions/0004).
 * @param say words for the user about what is waited for
 */
export async function chooseRuntime(attempt: Attempt, say: (status: string) => void): Promise<ChosenRuntime> {
  const { run, tools, signal } = attempt;
  const { docker_image: reference, image_requested: requested } = run.record.message.resources;
  const { primary, fallback } = tools.runtimes;
  const mayDoWithout = requested === false;
  if (!primary.capabilities.images && mayDoWithout) return { runtime: primary, image: null, note: null };
  const withoutImage = (runtime: Runtime, reason: string): ChosenRuntime => ({
    runtime,
    image: null,
    note: `Running in the sandbox of the worker, without an image: the default image ${reference} cannot be had (${reason}).`,
  });
  const missing = mayDoWithout ? tools.images.missing(reference) : undefined;
  if (fallback !== undefined && missing !== undefined) return withoutImage(fallback, missing);
  try {
    const image = await primary.prepareImage(reference, {
      signal,
      onProgress: say,
      maximumSize: tools.settings.maximumImageSize ?? undefined,
    });
    say('');
    return { runtime: primary, image, note: null };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ImageError)) throw error;
    if (!mayDoWithout || fallback === undefined) {
      throw new RunFailure(`Failed to download Docker image: ${error.message}`, { cause: error });
    }
    tools.images.noteMissing(reference, error.message);
    return withoutImage(fallback, error.message);
  }
}
