/** Finds out what this machine can execute runs in. */
import { detectRuntime, RuntimeError, type DetectOptions, type Runtime } from '@sheaf/runtimes';
import type { Log } from '../log.ts';
import type { Runtimes } from '../run/runtimes.ts';
import { StartProblem, type RuntimeChoice } from '../settings/settings.ts';

/** @throws StartProblem where there is nothing, with what to do about it. */
export async function openRuntimes(
  choice: RuntimeChoice,
  options: DetectOptions,
  log: Log,
): Promise<Runtimes> {
  try {
    const { runtime: primary, tried } = await detectRuntime(choice, options);
    for (const { name, reason } of tried) log.debug({ name, reason }, 'runtime not used');
    // Only for runs that named no image, and never where the owner asked for one runtime by name.
    const wantsFallback = choice === 'auto' && primary.capabilities.images;
    return { primary, fallback: wantsFallback ? await sandboxIfThere(options, log) : undefined };
  } catch (error) {
    if (error instanceof RuntimeError) throw new StartProblem(error.message, { cause: error });
    throw error;
  }
}

async function sandboxIfThere(options: DetectOptions, log: Log): Promise<Runtime | undefined> {
  try {
    return (await detectRuntime('sandbox', options)).runtime;
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    log.debug({ reason: error.message }, 'no sandbox to fall back to');
    return undefined;
  }
}
