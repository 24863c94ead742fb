/** What happened to a run, for people: `bundle_event` rows whose `text` is a sentence. */
import type { UnitOfWork } from '../database/unit-of-work.ts';

export const historyKinds = [
  'staged',
  'assigned',
  'started',
  'restaged',
  'returned',
  'preempted',
  'offline',
  'reattached',
  'kill-requested',
  'session',
  'finished',
  'failed',
  'made',
] as const;

export type HistoryKind = (typeof historyKinds)[number];

export interface HistoryEvent {
  kind: HistoryKind;
  details: { text: string; [key: string]: unknown };
}

/** The shape `transition` takes; `more` is for programs, such as the worker and the epoch. */
export function history(kind: HistoryKind, text: string, more: Record<string, unknown> = {}): HistoryEvent {
  return { kind, details: { ...more, text } };
}

/** Notes something that comes with no change of state. */
export async function note(unit: UnitOfWork, uuid: string, at: number, event: HistoryEvent): Promise<void> {
  await unit.queries
    .insertInto('bundle_event')
    .values({ bundle_uuid: uuid, at, kind: event.kind, details: unit.dialect.json_(event.details) })
    .execute();
}
