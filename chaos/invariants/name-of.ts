import type { RunEvidence } from '../evidence/evidence.ts';

/** How reports call a run. */
export function nameOf({ planned }: Pick<RunEvidence, 'planned'>): string {
  return `run ${planned.number} (${planned.uuid})`;
}
