/** What a run on a shared filesystem depends on is where the server says, and is mounted from there (execution.md §24). */
import type { RunDependency } from '@sheaf/wire';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { systemCode } from '../../errors.ts';
import type { PlacedDependency } from '../../layout/plan.ts';
import { RunFailure } from '../interruption.ts';
import { requireSharedDirectory } from '../shared-directory.ts';
import type { Attempt } from '../tools.ts';
import { layOutDependencies } from './dependencies.ts';

export async function useSharedDependencies({ run }: Attempt): Promise<void> {
  const { message } = run.record;
  await requireSharedDirectory(message);
  const placed: PlacedDependency[] = [];
  for (const dependency of message.bundle.dependencies) placed.push(await place(dependency));
  layOutDependencies(run.record, placed);
}

async function place({
  child_path: key,
  parent_path: path,
  location,
}: RunDependency): Promise<PlacedDependency> {
  const missing = () =>
    new RunFailure(
      `Failed to download dependency ${key}: it is not at ${location}/${path}`,
      'dependency-refused',
    );
  if (location === undefined || location === null) throw missing();
  try {
    const root = await realpath(location);
    const source = await realpath(join(location, path));
    // Links in contents come from users; only those that stay inside lead anywhere.
    if (source !== root && !source.startsWith(`${root}${sep}`)) throw missing();
    const names = (await stat(source)).isDirectory() ? await readdir(source) : undefined;
    return { key, source, names };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) throw missing();
    throw error;
  }
}
