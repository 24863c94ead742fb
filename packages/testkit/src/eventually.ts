/** Waiting for what has no event to wait for. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks again and again until the answer is not undefined.
 * @param time milliseconds until it gives up
 * @throws Error naming what did not come
 */
export async function eventually<Result>(
  what: string,
  ask: () => Promise<Result | undefined> | Result | undefined,
  time = 30_000,
): Promise<Result> {
  const deadline = performance.now() + time;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) {
      return answer;
    }
    if (performance.now() > deadline) {
      throw new Error(`Within ${time} ms there was no ${what}`);
    }
    await sleep(20);
  }
}
