import type { FinalState } from './states.ts';

/** Marks a failure message as the consequence of somebody's wish (execution.md §30). */
export const killMarker = 'Kill requested';

/** The state a finished run ends in (execution.md §10.3). A run stopped by a limit of its own is `failed`. */
export function finalStateOf(result: {
  failureMessage?: string | null | undefined;
  exitcode?: number | null | undefined;
}): FinalState {
  const message = result.failureMessage ?? '';
  if (message.includes(killMarker)) return 'killed';
  return message !== '' || (result.exitcode ?? 0) !== 0 ? 'failed' : 'ready';
}
