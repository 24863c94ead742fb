/** Puts the messages of one check-in's answer in the order workers can handle (execution.md §4.4). */
import type { WorkerMessage } from '@sheaf/wire';
import type { QueuedMessage } from './message-queue.ts';

export interface AnswerRequest {
  readonly queued: readonly QueuedMessage[];
  /** Follow from the state at every report: kills and finalisations. */
  readonly derived: readonly WorkerMessage[];
  /** Runs this very check-in reported. */
  readonly reported: ReadonlySet<string>;
  readonly acknowledges: boolean;
}

export interface CheckinAnswer {
  readonly messages: WorkerMessage[];
  readonly delivered: readonly QueuedMessage[];
}

/**
 * `run` first; original workers stop at a message about a run they do not hold, so they get only what concerns the runs they
 * reported. The order of what concerns one run is kept, and a derived message is left out where the queue says the same.
 */
export function arrangeAnswer(request: AnswerRequest): CheckinAnswer {
  const { acknowledges, reported } = request;
  const delivered = request.queued.filter(
    ({ type, runUuid }) => acknowledges || type === 'run' || reported.has(runUuid),
  );
  const runs = delivered.filter(({ type }) => type === 'run');
  const others = delivered.filter(({ type }) => type !== 'run');
  const said = new Set(others.map(({ type, runUuid }) => `${type} ${runUuid}`));
  const derived = request.derived.filter(
    (message) => message.type === 'run' || !said.has(`${message.type} ${message.uuid}`),
  );
  const numbered = ({ id, message }: QueuedMessage): WorkerMessage =>
    acknowledges ? { ...message, message_id: id } : message;
  return { messages: [...runs.map(numbered), ...derived, ...others.map(numbered)], delivered };
}
