import { join } from 'node:path';
import type { Settings } from '../settings/settings.ts';

/** For what is in no store yet, on the same disk as the store; emptied when the server starts. */
export function temporaryDirectory(settings: Pick<Settings, 'home'>): string {
  return join(settings.home, 'temporary');
}
