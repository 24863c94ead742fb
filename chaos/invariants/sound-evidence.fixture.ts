/** Evidence of an experiment in which all is as it should be: tests break one thing of it. */
import type { BundleEvent, Change, Evidence, RunEvidence } from '../evidence/evidence.ts';
import { bulkOf, digestOf, type Ending, type PlannedRun } from '../workload.ts';

const owner = 'owner';

export function event(kind: string, more: Partial<BundleEvent> = {}): BundleEvent {
  return { kind, epoch: undefined, cause: undefined, state: undefined, text: `${kind}.`, ...more };
}

/** One attempt from its assignment to its command. */
export function attempt(epoch: number): BundleEvent[] {
  return ['assigned', 'started', 'running'].map((kind) => event(kind, { epoch }));
}

export function plannedRun(number: number, ending: Ending, parents: readonly number[] = []): PlannedRun {
  const uuid = `0x${String(number).padStart(32, '0')}`;
  const output = `${digestOf(uuid)}  -\n`;
  return { uuid, number, owner: 0, command: 'true', parents, metadata: {}, ending, output, bulkBytes: 100 };
}

function runEvidence(planned: PlannedRun, more: Partial<RunEvidence>): RunEvidence {
  return {
    planned,
    ownerId: owner,
    state: planned.ending.kind,
    failureMessage: planned.ending.kind === 'failed' ? planned.ending.message : '',
    output: planned.output,
    bulk: digestOf(bulkOf(planned)),
    dataSize: 160,
    storedSize: 160,
    epoch: 1,
    events: [],
    ...more,
  };
}

function changesOf(uuid: string, states: readonly string[], epoch: number): Change[] {
  return states.map((state, at) => ({
    uuid,
    epoch: at === 0 && epoch === 1 ? 0 : epoch,
    state,
    seconds: at >= 3 ? epoch : 0,
    root: at >= states.length - 1 ? `{"digest":"${uuid}"}` : null,
  }));
}

/** A run that was ready at once, one that was tried twice, one that failed by itself, one that was killed. */
export function soundEvidence(): Evidence {
  const ready = runEvidence(plannedRun(0, { kind: 'ready' }), {
    events: [event('staged'), ...attempt(1), event('finished', { epoch: 1, state: 'ready' })],
  });
  const again = runEvidence(plannedRun(1, { kind: 'ready' }, [0]), {
    epoch: 2,
    events: [
      ...attempt(1),
      event('restaged', { epoch: 1, cause: 'disk-full' }),
      event('refused', { epoch: 1 }),
      ...attempt(2),
      event('offline', { epoch: 2 }),
      event('reattached', { epoch: 2 }),
      event('running', { epoch: 2 }),
      event('finished', { epoch: 2, state: 'ready' }),
    ],
  });
  const failed = runEvidence(plannedRun(2, { kind: 'failed', message: 'Exit code 3' }), {
    events: [...attempt(1), event('failed', { epoch: 1, state: 'failed' })],
  });
  const killed = runEvidence(plannedRun(3, { kind: 'killed' }), {
    output: undefined,
    bulk: undefined,
    dataSize: 0,
    storedSize: 0,
    epoch: 0,
    events: [event('kill-requested'), event('failed', { state: 'killed' }), event('refused', { epoch: 0 })],
  });
  const runs = [ready, again, failed, killed];
  const way = ['staged', 'starting', 'preparing', 'running', 'finalizing'];
  return {
    runs,
    changes: [
      ...changesOf(ready.planned.uuid, [...way, 'ready'], 1),
      ...changesOf(again.planned.uuid, ['staged', 'starting', 'preparing', 'running', 'staged'], 1).map(
        (change) => ({ ...change, root: null }),
      ),
      ...changesOf(again.planned.uuid, [...way, 'ready'], 2).slice(1),
      ...changesOf(failed.planned.uuid, [...way, 'failed'], 1),
      ...changesOf(killed.planned.uuid, ['staged', 'killed'], 1).map((change) => ({ ...change, root: null })),
    ],
    // Attempts of 1 s each, and a second one of 2 s.
    owners: [{ id: owner, name: 'somebody', timeUsed: 5, diskUsed: 480, bundleBytes: 480 }],
    server: { assignments: [], messages: [], leases: [], sharedRuns: [], files: [] },
    store: { missing: [], damaged: [], unfinished: [] },
    workers: [
      {
        name: 'one',
        exitCode: 0,
        files: ['identity', 'images.json'],
        cache: { entries: [], listed: [], unreferenced: [], unfinished: [] },
      },
    ],
    machine: { processes: [], mounts: [], groups: [], engines: [] },
    possible: new Set(['disk-full']),
  };
}
