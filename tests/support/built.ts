import { ensureBuilt } from '../../scripts/build.mjs';

/** Builds the programs once before the system tests, when a source is newer than the build. */
export async function setup(): Promise<void> {
  await ensureBuilt();
}
