import { writeFileSync } from 'node:fs';

/**
 * Sets the time of a program that was started with shifted-clock.cjs.
 * @param seconds how far its clock is ahead of the right time; negative when it is late
 */
export function setClock(path: string, seconds: number): void {
  writeFileSync(path, `${seconds * 1000}\n`);
}
