/** Which version of the Engine API to speak. */
import { EngineError } from './errors.ts';

const preferred: readonly [number, number] = [1, 41];
const oldest: readonly [number, number] = [1, 40];

/**
 * The version we know best (1.41: one-shot statistics) where the engine speaks it, else the nearest it does.
 * @throws EngineError the engine is older than 1.40 (Docker 19.03)
 */
export function chooseVersion(newestOfEngine: string, oldestOfEngine: string | undefined): string {
  const newest = parse(newestOfEngine);
  if (compare(newest, oldest) < 0) {
    throw new EngineError(
      0,
      `it speaks API version ${newestOfEngine}, and 1.40 (Docker 19.03) is the oldest that can be used`,
    );
  }
  const lowest = oldestOfEngine === undefined ? oldest : parse(oldestOfEngine);
  const raised = compare(preferred, lowest) < 0 ? lowest : preferred;
  const chosen = compare(raised, newest) > 0 ? newest : raised;
  return `${chosen[0]}.${chosen[1]}`;
}

function parse(version: string): readonly [number, number] {
  const [major = '0', minor = '0'] = version.split('.');
  return [Number.parseInt(major, 10), Number.parseInt(minor, 10)];
}

function compare(left: readonly [number, number], right: readonly [number, number]): number {
  return left[0] - right[0] || left[1] - right[1];
}
