/** Waiting for a container: the engine's events and a held request, and whichever tells first. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine/client.ts';
import { EngineError, EngineUnreachableError, isNotFound } from '../engine/errors.ts';
import { RuntimeError, type RunExit } from '../port.ts';
import type { ContainerEnds } from './ends.ts';
import { wasKilled } from './engine-memory.ts';
import { containerExit, diesOfSignal, endedFromOutside, isRunning, mayLackCause, vanished } from './exit.ts';

const firstPause = 100;
const longestPause = 5_000;

/** How long a container that was killed is given until the engine says that it was for its memory. */
const latestCause = 100;

/**
 * Resolves when the container has ended or is gone.
 * @throws RuntimeError the engine answers, but will not say
 */
export async function waitForContainer(
  engine: EngineClient,
  ends: ContainerEnds,
  container: string,
  signal: AbortSignal,
  onTrouble: (words: string | undefined) => void = () => undefined,
): Promise<RunExit> {
  signal.throwIfAborted();
  const known = ends.exitOf(container);
  if (known) {
    return known;
  }
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const told = ends.told(container, either);
  const asked = async (): Promise<RunExit> => {
    const exit = await askForEnd(engine, container, either, onTrouble);
    return mayLackCause(exit) && ends.follows(container)
      ? Promise.race([told, sleep(latestCause, exit, { signal: either })])
      : exit;
  };
  try {
    return await Promise.race([told, asked()]);
  } finally {
    over.abort(new Error('The container has ended'));
  }
}

/**
 * An engine that is upgraded goes away for seconds to minutes: the held request breaks, and so do the next ones. What the
 * run did meanwhile is known only once the engine is back, so we ask until it is, ever more slowly, or until the caller has
 * had enough.
 */
async function askForEnd(
  engine: EngineClient,
  container: string,
  signal: AbortSignal,
  onTrouble: (words: string | undefined) => void,
): Promise<RunExit> {
  let pause = firstPause;
  let wasAway = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      if (wasAway) {
        await engine.inspectContainer(container);
        onTrouble(undefined);
      }
      await engine.waitContainer(container, signal);
      const state = await engine.inspectContainer(container);
      if (!isRunning(state)) {
        const exit = await containerExit(engine, state);
        const outside = diesOfSignal(exit) && (wasAway || (await wasKilled(engine, container)));
        return outside ? endedFromOutside(exit) : exit;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isNotFound(error)) {
        return vanished;
      }
      if (!isTemporary(error)) {
        throw error instanceof EngineError
          ? new RuntimeError(error.message, { userError: false, cause: error })
          : error;
      }
      wasAway = true;
      onTrouble(
        `The container engine does not answer (${error instanceof Error ? error.message : String(error)}).`,
      );
    }
    await sleep(pause, undefined, { signal });
    pause = Math.min(pause * 2, longestPause);
  }
}

function isTemporary(error: unknown): boolean {
  if (error instanceof EngineUnreachableError) {
    return true;
  }
  // A connection cut in the middle of an answer, and an engine on its way up or down.
  return (
    (error instanceof EngineError && error.status >= 500) ||
    (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') ||
    error instanceof SyntaxError
  );
}
