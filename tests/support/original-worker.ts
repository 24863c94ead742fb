/* Starts a worker that behaves as original ones do; it needs Python 3 and bash, and no container engine. */
import { join } from 'node:path';
import type { Installation } from './installation.ts';
import { root } from './programs.ts';
import { WorkerProgram } from './worker-program.ts';

/** @param id its `--id`; also the name of its work directory */
export async function startOriginalWorker(
  installation: Installation,
  id: string,
  words: readonly string[] = [],
): Promise<WorkerProgram> {
  const worker = new WorkerProgram(
    [
      '-u',
      join(root, 'tests/support/original-worker.py'),
      '--server',
      installation.url,
      '--credentials',
      join(installation.home, 'administrator.json'),
      '--work-dir',
      join(installation.home, `original-${id}`),
      '--id',
      id,
      ...words,
    ],
    { program: 'python3' },
  );
  return await worker.started();
}
