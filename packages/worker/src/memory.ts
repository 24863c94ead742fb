/** Keeps an idle worker small: it may stand by for weeks between runs on somebody's laptop. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * To be called first of all. The young generation stays small: left to itself it grows to 48 MB in the first busy minute and is
 * never given back, while this program lives on I/O and hardly allocates.
 */
export function limitYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** What a busy time has left goes back to the system; an idle program would otherwise not collect it for hours. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
}
