/* Asks the worker that holds a run, and waits for its answer (execution.md §5.3, §8.4). */
import { isUtf8 } from 'node:buffer';
import { assertNever } from '@sheaf/domain';
import { readFailure, SheafError, type ReadArguments, type WorkerMessage } from '@sheaf/wire';
import type { Readable } from 'node:stream';
import type { Services } from '../services.ts';
import type { Mailboxes, WorkerAnswer } from './mailboxes.ts';
import { queueMessage, withdrawMessage } from './message-queue.ts';
import { openSocket } from './sockets.ts';
import type { WorkerKey } from './worker-key.ts';

/** Milliseconds until a question counts as unanswered. */
export const answerTimeout = 60_000;

/** The worker has let go of the run: look again, its state has usually become final (execution.md §8.4). */
export class RunGoneError extends Error {
  override readonly name = 'RunGoneError';
}

/** The worker answered that it cannot serve the question. `status` is the HTTP status it named. */
export class WorkerRefusedError extends Error {
  override readonly name = 'WorkerRefusedError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Holder extends WorkerKey {
  readonly runUuid: string;
  readonly epoch: number;
  readonly protocol: number;
}

export interface QuestionServices {
  readonly services: Services;
  readonly mailboxes: Mailboxes;
}

type Question =
  | { kind: 'read'; path: string; arguments: ReadArguments }
  | { kind: 'netcat'; port: number; bytes: Buffer };

const goneText = 'Bundle no longer running';

/**
 * Asks and waits for the first answer.
 * @throws RunGoneError when the worker no longer holds the run, WorkerRefusedError when it refuses, SheafError
 * `worker-unreachable` when it does not answer in time or the signal fires.
 */
export async function ask(
  { services, mailboxes }: QuestionServices,
  holder: Holder,
  question: Question,
  signal?: AbortSignal,
): Promise<WorkerAnswer> {
  const now = services.clock.now();
  const { socketId, messageId } = await services.unitOfWork(async (unit) => {
    const socketId = await openSocket(unit, holder, holder.runUuid, now);
    const id = await queueMessage(unit, now, {
      ...holder,
      message: messageOf(holder, socketId, question),
      expiresAt: now + answerTimeout,
    });
    return { socketId, messageId: id };
  });
  const mailbox = mailboxes.open(socketId);
  try {
    const answer = await mailbox.answer(answerTimeout, signal);
    if (answer === undefined) {
      throw new SheafError(
        'worker-unreachable',
        `Unable to reach worker. ${holder.workerId} did not answer.`,
      );
    }
    if (answer.kind === 'json') refuseFailure(answer.value);
    return answer;
  } finally {
    mailbox.close();
    await services.unitOfWork((unit) => withdrawMessage(unit, messageId));
  }
}

function messageOf({ runUuid: uuid, protocol }: Holder, socketId: number, question: Question): WorkerMessage {
  switch (question.kind) {
    case 'read':
      return { type: 'read', uuid, socket_id: socketId, path: question.path, read_args: question.arguments };
    case 'netcat':
      return {
        type: 'netcat',
        uuid,
        socket_id: socketId,
        port: question.port,
        ...netcatMessage(question.bytes, protocol),
      };
    default:
      return assertNever(question);
  }
}

/** @throws SheafError `invalid-request` for bytes that only text carries to this worker */
function netcatMessage(bytes: Buffer, protocol: number): { message: string; message_base64?: string } {
  if (isUtf8(bytes)) return { message: bytes.toString('utf8') };
  if (protocol >= 2) return { message: '', message_base64: bytes.toString('base64') };
  throw new SheafError('invalid-request', 'The worker of this run takes only UTF-8 text.');
}

function refuseFailure(value: unknown): void {
  const failure = readFailure.safeParse(value);
  if (!failure.success) return;
  const { error_code: status, error_message: message } = failure.data;
  if (message === goneText) throw new RunGoneError(message);
  throw new WorkerRefusedError(status, message);
}

/** The bytes of an answer; an empty object stands for none (execution.md §5.4). */
export function bytesOf(answer: WorkerAnswer): Readable | undefined {
  return answer.kind === 'data' ? answer.body : undefined;
}
