import type { WalkedEntry } from '../tree/walk.ts';

/** What directory downloads leave out at every depth, as original clients and workers expect (rest-api.md §19.6). */
export function leftOutOfDownloads(walked: Pick<WalkedEntry, 'name'>): boolean {
  return walked.name === '.git' || walked.name === '__MACOSX' || walked.name.startsWith('._');
}
