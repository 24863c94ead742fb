/** Loads what sessions need when it is needed. */
import type * as SessionEngine from '../session-engine.ts';

export function loadSessionEngine(): Promise<typeof SessionEngine> {
  return import('../session-engine.ts');
}
