/** Collects what is known, in the order in which it can be: what the server tells, then what it leaves when all have ended. */
import { join } from 'node:path';
import type { FailureCause } from '@sheaf/domain';
import type { Owner } from '../owners.ts';
import type { Site, Worker } from '../site.ts';
import { digestOf, type PlannedRun } from '../workload.ts';
import { changesIn } from './changes.ts';
import type { BundleEvent, Evidence, MachineEvidence, RunEvidence, WorkerEvidence } from './evidence.ts';
import { engineLeftovers, filesOf, groupsOf, mountsBelow, processesOf } from './machine.ts';
import { bundlesIn, eventsIn, ownersIn, workLeft, type BundleFacts } from './server.ts';
import type { Sql } from './sql.ts';
import { lookOverCache, lookOverStore } from './store.ts';

export interface Subject {
  readonly site: Site;
  readonly sql: Sql;
  readonly owners: readonly Owner[];
  readonly planned: readonly PlannedRun[];
  readonly possible: ReadonlySet<FailureCause>;
}

/** Ends all programs on the way. */
export async function gather({ site, sql, owners, planned, possible }: Subject): Promise<Evidence> {
  const bundles = bundlesIn(sql);
  const events = eventsIn(sql);
  const runs: RunEvidence[] = [];
  for (const run of planned) {
    runs.push(await runEvidence(run, bundles.get(run.uuid), events.get(run.uuid), owners));
  }
  const server = workLeft(sql, site.home);
  const ends = await Promise.all(site.workers.map(({ program }) => program.end('SIGTERM')));
  await site.server.end('SIGTERM');
  const roots = [...bundles.values()].flatMap(({ root }) => root ?? []);
  return {
    runs,
    changes: changesIn(sql),
    owners: ownersIn(sql),
    server,
    store: await lookOverStore(join(site.home, 'contents'), roots, site.server.startedAt),
    workers: await Promise.all(site.workers.map((worker, at) => workerEvidence(worker, ends[at]))),
    machine: machineEvidence(site, planned),
    possible,
  };
}

async function runEvidence(
  planned: PlannedRun,
  facts: BundleFacts | undefined,
  events: readonly BundleEvent[] = [],
  owners: readonly Owner[],
): Promise<RunEvidence> {
  const rest = owners[planned.owner]?.rest;
  const none = { state: 'missing', ownerId: '', failureMessage: '', dataSize: 0, storedSize: 0, epoch: 0 };
  if (facts === undefined || rest === undefined) {
    return { planned, ...none, output: undefined, bulk: undefined, events };
  }
  const bulk = await rest.file(planned.uuid, 'bulk');
  return {
    planned,
    ...facts,
    output: await rest.file(planned.uuid, 'out'),
    bulk: bulk === undefined ? undefined : digestOf(bulk),
    events,
  };
}

async function workerEvidence(
  { program, disk }: Worker,
  exitCode: number | undefined,
): Promise<WorkerEvidence> {
  const work = join(disk, 'work');
  return {
    name: program.name,
    exitCode,
    files: filesOf(work),
    cache: await lookOverCache(join(work, 'cache'), program.startedAt),
  };
}

function machineEvidence(site: Site, planned: readonly PlannedRun[]): MachineEvidence {
  const uuids = new Set(planned.map(({ uuid }) => uuid));
  return {
    processes: processesOf(site.directory, uuids),
    mounts: mountsBelow(site.directory, site.disks),
    groups: groupsOf(uuids),
    engines: site.workers.flatMap(({ engine, host, program }) =>
      engine === undefined ? [] : engineLeftovers(host.words, engine.address, program.name),
    ),
  };
}
