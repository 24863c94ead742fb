/*
 * Slows down guessing: the answer to a wrong password is delayed, the more often it was wrong for this name from this address.
 * Never a refusal: original clients take a 429 for a crash (rest-api.md §4.3).
 */
import type { Clock } from '../services.ts';

export interface LoginDelay {
  /** Resolves when the refusal may be sent. */
  afterFailure(name: string, address: string): Promise<void>;
  afterSuccess(name: string, address: string): void;
}

/** Original clients send a refused request twice by themselves, and people mistype. */
const free = 4;
const longest = 8000;
const forgottenAfter = 15 * 60 * 1000;
const kept = 10_000;

export function createLoginDelay(clock: Clock): LoginDelay {
  const failures = new Map<string, { count: number; last: number }>();
  return {
    async afterFailure(name, address) {
      const key = keyOf(name, address);
      const now = clock.elapsed();
      const before = failures.get(key);
      const count = before === undefined || now - before.last > forgottenAfter ? 1 : before.count + 1;
      failures.delete(key);
      failures.set(key, { count, last: now });
      if (failures.size > kept) {
        const oldest = failures.keys().next();
        if (oldest.done !== true) failures.delete(oldest.value);
      }
      const wait = delayAfter(count);
      if (wait > 0) await new Promise<void>((resolve) => void clock.after(wait, resolve));
    },
    afterSuccess(name, address) {
      failures.delete(keyOf(name, address));
    },
  };
}

/** Milliseconds to wait after so many failures in a row. */
export function delayAfter(count: number): number {
  return count <= free ? 0 : Math.min(longest, 500 * 2 ** (count - free - 1));
}

function keyOf(name: string, address: string): string {
  return `${name.toLowerCase()}\n${address}`;
}
