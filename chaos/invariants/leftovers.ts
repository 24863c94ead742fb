/** Nothing is left of what is over: not on the server, not on a worker, not on the machine. */
import type { CacheEvidence, Evidence, RunEvidence, WorkerEvidence } from '../evidence/evidence.ts';

export function checkServer({ server, store }: Pick<Evidence, 'server' | 'store'>): string[] {
  return [
    ...server.assignments.map((one) => `The server still counts ${one}`),
    ...server.messages.map((one) => `A message is left: ${one}`),
    ...server.leases.map((one) => `A lease is left: ${one}`),
    ...server.sharedRuns.map((one) => `A shared run is left: ${one}`),
    ...server.files.map((one) => `A temporary file is left on the server: ${one}`),
    ...store.unfinished.map((one) => `An unfinished file is left in the store: ${one}`),
  ];
}

/** What a worker without runs may keep, besides its cache (worker/work-directory/paths.ts). */
const kept = new Set(['identity', 'images.json']);

export function checkWorkers({ workers, runs }: Pick<Evidence, 'workers' | 'runs'>): string[] {
  const givenUp = runs.filter(wasKilledWithoutItsWorker).map(({ planned }) => `unsent/${planned.uuid}/`);
  return workers.flatMap((worker) => [
    ...endOf(worker),
    ...worker.files
      .filter((file) => !kept.has(file) && !givenUp.some((directory) => file.startsWith(directory)))
      .map((file) => `${file} is left on worker ${worker.name}`),
    ...cacheOf(worker.cache).map((problem) => `The cache of worker ${worker.name}: ${problem}`),
  ]);
}

/**
 * What a worker that was away comes back with is kept on it for three days when the run was killed meanwhile
 * (docs/decisions/0771).
 */
function wasKilledWithoutItsWorker({ state, storedSize }: RunEvidence): boolean {
  return state === 'killed' && storedSize === 0;
}

function endOf({ name, exitCode }: WorkerEvidence): string[] {
  if (exitCode === undefined) return [`Worker ${name} did not end when it was told to`];
  return exitCode === 0 ? [] : [`Worker ${name} ended with ${exitCode}`];
}

/**
 * At the end each worker has used something that is larger than its cache: everything has to go, unless something holds it still.
 */
function cacheOf({ entries, listed, unreferenced, unfinished }: CacheEvidence): string[] {
  const names = new Set(listed);
  return [
    ...listed.map((name) => `the entry ${name} is held by nobody knows whom`),
    ...entries.filter((name) => !names.has(name)).map((name) => `the entry ${name} is not listed`),
    ...unreferenced.map((name) => `nothing needs the blob ${name}`),
    ...unfinished.map((name) => `${name} is unfinished`),
  ];
}

export function checkMachine({ machine }: Pick<Evidence, 'machine'>): string[] {
  return [
    ...machine.processes.map((one) => `A process is left: ${one}`),
    ...machine.mounts.map((one) => `A mount is left: ${one}`),
    ...machine.groups.map((one) => `A control group is left: ${one}`),
    ...machine.engines.map((one) => `Left at a container engine: ${one}`),
  ];
}
