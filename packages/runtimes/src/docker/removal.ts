/** Removing a container, and being sure that it is gone. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine/client.ts';
import { isConflict, isNotFound } from '../engine/errors.ts';

const firstPause = 20;
const longestPause = 500;
/** About half a minute. */
const attempts = 64;

/**
 * Returns when the container is gone, its processes with it. The engine refuses (409) while it still removes the container for
 * somebody else; that may fail, so we ask until it is our turn or there is nothing left.
 * @throws EngineError the engine cannot remove it
 */
export async function removeContainer(engine: EngineClient, container: string): Promise<void> {
  for (let attempt = 1, pause = firstPause; ; attempt += 1, pause = Math.min(pause * 2, longestPause)) {
    try {
      await engine.removeContainer(container);
      return;
    } catch (error) {
      if (isNotFound(error)) {
        return;
      }
      if (!isConflict(error) || attempt === attempts) {
        throw error;
      }
    }
    await sleep(pause);
  }
}
