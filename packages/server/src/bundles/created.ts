import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { BundleRow } from './transition.ts';

/** Tells who waits for new bundles (the scheduler stages those in `created`), once they are committed. */
export function announceCreated(unit: UnitOfWork, rows: readonly BundleRow[]): void {
  for (const { uuid, state, version } of rows)
    unit.announce({ type: 'bundle.changed', uuid, state, version });
}
