/** A service that tests need: how to get one, and how to find out whether that would work. */
import { describe, it } from 'vitest';
import { SkipReason } from './skip-reason.ts';

export interface Requirement<Service> {
  /** Starts or finds the service. @throws SkipReason it cannot be had on this machine */
  (): Promise<Service>;
  /** Looks (and installs what is missing) without starting one. @throws SkipReason */
  available(): Promise<void>;
}

export function requirement<Service>(
  available: () => Promise<void>,
  get: () => Promise<Service>,
): Requirement<Service> {
  return Object.assign(
    async () => {
      await available();
      return get();
    },
    { available },
  );
}

/**
 * A group of tests that need services. Where one cannot be had, the report shows the group with one skipped test that names the
 * service and the reason; with CI set, that is a failure: there, everything has to run.
 */
export function describeWith(
  name: string,
  needs: readonly Pick<Requirement<unknown>, 'available'>[],
  tests: () => void | Promise<void>,
): void {
  describe(name, async () => {
    const missing = await firstMissing(needs);
    if (missing === undefined) {
      await tests();
      return;
    }
    const report = process.env['CI'] ? it : it.skip;
    report(`needs ${missing.message}`, () => {
      throw missing;
    });
  });
}

async function firstMissing(
  needs: readonly Pick<Requirement<unknown>, 'available'>[],
): Promise<SkipReason | undefined> {
  try {
    for (const need of needs) {
      await need.available();
    }
    return undefined;
  } catch (error) {
    if (error instanceof SkipReason) {
      return error;
    }
    throw error;
  }
}
