/** What happened to a run, for people: `bundle_event` rows whose `text` says what happened and what happens next. */
import { z } from 'zod';
import { updateBundle } from '../bundles/transition.ts';
import { readableJson } from '../database/readable-json.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { workerKeyText, type WorkerKey } from '../workers/worker-key.ts';

export type HistoryKind =
  | 'staged'
  | 'assigned'
  | 'started'
  | 'running'
  | 'restaged'
  | 'returned'
  | 'preempted'
  | 'offline'
  | 'reattached'
  | 'refused'
  | 'kill-requested'
  | 'session'
  | 'finished'
  | 'failed'
  | 'made';

export interface HistoryEvent {
  kind: HistoryKind;
  details: { text: string; [key: string]: unknown };
}

/** A worker and the machine it said it is on. */
export interface NamedWorker extends WorkerKey {
  readonly hostname: string | null;
}

/** Who asked for something. */
export interface Asker {
  readonly id: string;
  readonly name: string;
}

export interface HistoryFacts {
  readonly worker?: NamedWorker | undefined;
  /** Number of the attempt, from 1. */
  readonly attempt?: number | undefined;
  readonly user?: Asker | undefined;
  /** For programs. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** How to call those concerned: by name, or so that nobody learns whose an anonymous bundle is. */
export interface Names {
  /** `worker w1`; without its article where it has no name. */
  readonly worker: string;
  readonly user: string;
}

/** The shape `transition` takes. Sentences that name somebody are functions, as they are told with and without the names. */
export function history(
  kind: HistoryKind,
  text: string | ((names: Names) => string),
  { worker, attempt, user, more = {} }: HistoryFacts = {},
): HistoryEvent {
  const details = {
    ...more,
    ...(worker === undefined
      ? {}
      : { worker: workerKeyText(worker), worker_id: worker.workerId, host: worker.hostname }),
    ...(attempt === undefined ? {} : { epoch: attempt }),
    ...(user === undefined ? {} : { user_id: user.id, user_name: user.name }),
  };
  if (typeof text === 'string') return { kind, details: { ...details, text } };
  const named = { worker: `worker ${worker?.workerId ?? ''}`.trimEnd(), user: user?.name ?? 'somebody' };
  return {
    kind,
    details: {
      ...details,
      text: begun(text(named)),
      anonymous_text: begun(text({ worker: 'the worker', user: 'somebody' })),
    },
  };
}

/** Notes something that comes with no change of state, for those who watch the run as well. */
export async function note(unit: UnitOfWork, uuid: string, at: number, event: HistoryEvent): Promise<void> {
  await unit.queries
    .insertInto('bundle_event')
    .values({ bundle_uuid: uuid, at, kind: event.kind, details: unit.dialect.json_(event.details) })
    .execute();
  await updateBundle(unit, uuid, {}, at);
}

const noted = z.object({ text: z.string(), epoch: z.number().optional() });

/** The same, for what workers and people say again and again: noted once for an attempt. */
export async function noteOnce(
  unit: UnitOfWork,
  uuid: string,
  at: number,
  event: HistoryEvent,
): Promise<void> {
  const rows = await unit.queries
    .selectFrom('bundle_event')
    .select('details')
    .where('bundle_uuid', '=', uuid)
    .where('kind', '=', event.kind)
    .execute();
  const { text, epoch } = event.details;
  const isKnown = rows.some(({ details }) => {
    const known = noted.safeParse(readableJson(details)).data;
    return known?.text === text && known.epoch === epoch;
  });
  if (!isKnown) await note(unit, uuid, at, event);
}

/** With the name of its machine, as far as it is known. */
export async function namedWorker(unit: UnitOfWork, worker: WorkerKey): Promise<NamedWorker> {
  const row = await unit.queries
    .selectFrom('worker')
    .select('hostname')
    .where('user_id', '=', worker.userId)
    .where('worker_id', '=', worker.workerId)
    .executeTakeFirst();
  return { ...worker, hostname: row?.hostname ?? null };
}

/** Ends a text from elsewhere as a sentence ends. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?)]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** With a capital letter, unless it is somebody's name. */
function begun(text: string): string {
  return /^(?:worker|the worker|somebody) /.test(text)
    ? text.slice(0, 1).toUpperCase() + text.slice(1)
    : text;
}
