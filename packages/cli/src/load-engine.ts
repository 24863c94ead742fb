/** Loads the engine for contents when it is needed. */
import type * as ContentsEngine from './contents-engine.ts';

export type Engine = typeof ContentsEngine;

export function loadEngine(): Promise<Engine> {
  return import('./contents-engine.ts');
}
