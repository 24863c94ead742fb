/** Holds the engine's stream of events open, through restarts of the engine. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine/client.ts';
import type { ContainerEnds } from './ends.ts';
import { labels } from './names.ts';

const firstPause = 100;
const longestPause = 5_000;

export interface Listening {
  /** Resolves when the first attempt has succeeded or failed: what starts from then on is heard. */
  readonly tried: Promise<void>;
  stop(): void;
}

/** Tells `ends` what happens to the containers of a worker, until it is stopped. */
export function listen(engine: EngineClient, worker: string, ends: ContainerEnds): Listening {
  const over = new AbortController();
  const { signal } = over;
  const open = () => engine.containerEvents(`${labels.worker}=${worker}`, signal);
  const first = open();
  void follow(first);
  return {
    tried: first.then(
      () => undefined,
      () => undefined,
    ),
    stop: () => over.abort(new Error('The runtime was closed')),
  };

  async function follow(opened: ReturnType<typeof open>): Promise<void> {
    let stream = opened;
    for (let pause = firstPause; !signal.aborted; pause = Math.min(pause * 2, longestPause)) {
      try {
        for await (const event of await stream) {
          ends.hear(event);
          pause = firstPause;
        }
      } catch {
        // Whatever is wrong with the stream, whoever waits for a run also asks the engine itself, and hears of it there.
      }
      ends.interrupted();
      if (await passes(pause)) {
        stream = open();
      }
    }
  }

  /** False: it was stopped meanwhile. */
  async function passes(pause: number): Promise<boolean> {
    try {
      await sleep(pause, undefined, { signal, ref: false });
      return true;
    } catch (error) {
      if (signal.aborted) {
        return false;
      }
      throw error;
    }
  }
}
