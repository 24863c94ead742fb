/** How much memory the server takes for what it does in a moment. */
import { setFlagsFromString } from 'node:v8';

/** Workers whose requests fill the young generation that the server begins with many times a second. */
const many = 100;

/**
 * With many workers, what one request needs is still needed when the young generation is collected: it is copied, and copied again,
 * and has become old when the request is done. The young generation may then grow to what the server was started with
 * (scripts/small-memory.mjs). With a thousand busy workers that saves a tenth of the processor, for some 60 MB.
 * @returns what is to be told how many workers are connected
 */
export function roomForWorkers(
  setFlags: (flags: string) => void = setFlagsFromString,
): (workers: number) => void {
  let isGrowing = false;
  return (workers) => {
    if (workers >= many === isGrowing) return;
    isGrowing = workers >= many;
    setFlags(`--semi-space-growth-factor=${isGrowing ? 2 : 1}`);
  };
}
