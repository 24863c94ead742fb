/* Lays out what a run on the shared filesystem needs, and only then gives it to its worker (execution.md §24). */
import type { Trees } from '@sheaf/trees';
import type { RunMessage } from '@sheaf/wire';
import { transition, type BundleRow } from '../../bundles/transition.ts';
import type { UnitOfWork } from '../../database/unit-of-work.ts';
import type { Services } from '../../services.ts';
import { queueMessage } from '../../workers/message-queue.ts';
import { findAssignment, workerOf, type AssignmentRow } from '../assignments.ts';
import { history, namedWorker, sentence } from '../history.ts';
import { lockBundle } from '../lock-bundle.ts';
import { restageRun } from '../restage.ts';
import type { SharedDirectories } from './directories.ts';
import { DependencyPlaceError, placeDependencies, type Places } from './places.ts';
import { findSharedRun, messageOf, type SharedRunRow } from './records.ts';

interface Tools {
  readonly services: Services;
  readonly directories: SharedDirectories;
  readonly trees: Trees;
}

/** Whatever goes wrong, the run goes on to somewhere: it fails, or waits for another worker. */
export async function prepareSharedRun(tools: Tools, uuid: string): Promise<void> {
  const { services, directories } = tools;
  const row = await findSharedRun(services.database.queries, uuid);
  if (row === undefined || row.prepared_at !== null) return;
  const message = messageOf(row);
  let places: Places | undefined;
  try {
    places = await placeDependencies(tools, message.bundle.dependencies);
    const directory = await directories.makeRun({ uuid, epoch: row.epoch }, { resumes: row.resumes === 1 });
    const whole = withPlaces(message, directory, places, directories.marker);
    await hand(tools, row, whole, places);
  } catch (error) {
    services.log.warn({ err: error, run: uuid }, 'a run cannot be laid out for its worker');
    await giveUp(tools, row, error);
  } finally {
    for (const name of places?.contents ?? []) directories.release(name);
  }
}

function withPlaces(
  message: RunMessage,
  location: string,
  { locations }: Places,
  marker: SharedDirectories['marker'],
): RunMessage {
  const dependencies = message.bundle.dependencies.map((dependency, at) => ({
    ...dependency,
    location: locations[at] ?? null,
  }));
  return { ...message, shared_marker: marker, bundle: { ...message.bundle, location, dependencies } };
}

async function hand(
  { services }: Tools,
  row: SharedRunRow,
  message: RunMessage,
  places: Places,
): Promise<void> {
  const now = services.clock.now();
  await services.unitOfWork(async (unit) => {
    const held = await stillStarting(unit, row);
    if (held === undefined) return;
    const updated = await unit.queries
      .updateTable('shared_run')
      .set({ prepared_at: now, contents: unit.dialect.json_([...new Set(places.contents)]) })
      .where('run_uuid', '=', row.run_uuid)
      .where('epoch', '=', row.epoch)
      .where('prepared_at', 'is', null)
      .returning('run_uuid')
      .executeTakeFirst();
    // Another server on this database was quicker.
    if (updated === undefined) return;
    const worker = workerOf(held.assignment);
    await queueMessage(unit, now, { ...worker, runUuid: row.run_uuid, epoch: row.epoch, message });
  });
}

async function giveUp({ services }: Tools, row: SharedRunRow, error: unknown): Promise<void> {
  const now = services.clock.now();
  const reason = error instanceof Error ? error.message : String(error);
  await services.unitOfWork(async (unit) => {
    const held = await stillStarting(unit, row);
    if (held === undefined) return;
    const worker = await namedWorker(unit, workerOf(held.assignment));
    const event = history(
      'restaged',
      (names) =>
        `The run could not be laid out for ${names.worker}: ${sentence(reason)} It waits for a worker again.`,
      { worker, attempt: row.epoch },
    );
    const staged = await restageRun(unit, held.run, { event, keepMetadata: false }, now);
    if (staged?.state !== 'staged' || !(error instanceof DependencyPlaceError)) return;
    await transition(unit, {
      uuid: row.run_uuid,
      type: 'run',
      expected: ['staged'],
      next: 'failed',
      changes: { metadata: { failure_message: reason } },
      now,
      event: history('failed', sentence(reason), { attempt: row.epoch }),
    });
  });
}

/** Undefined where the attempt is over already. */
async function stillStarting(
  unit: UnitOfWork,
  row: SharedRunRow,
): Promise<{ run: BundleRow; assignment: AssignmentRow } | undefined> {
  const run = await lockBundle(unit, row.run_uuid);
  const assignment = await findAssignment(unit.queries, row.run_uuid);
  if (run?.state !== 'starting' || run.epoch !== row.epoch || assignment?.epoch !== row.epoch)
    return undefined;
  return { run, assignment };
}
