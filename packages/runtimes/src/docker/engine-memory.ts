/** What the engine remembers of its own doings: some hundred events, since it was started. */
import type { EngineClient } from '../engine/client.ts';

/**
 * Whether the engine was asked to end the container, or ended it itself as it stopped or started. False also where it has
 * forgotten: then nobody knows.
 */
export async function wasKilled(engine: EngineClient, container: string): Promise<boolean> {
  for await (const { Action: action } of await engine.pastEvents(container)) {
    if (action === 'kill') {
      return true;
    }
  }
  return false;
}
