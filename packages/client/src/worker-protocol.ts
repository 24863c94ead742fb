/** What a worker says to its server and asks of it (execution.md §4-5); shapes are those of @sheaf/wire. */
import type { CheckinInput, RunReportInput } from '@sheaf/wire';
import type { RestClient } from './rest-client.ts';
import type { Body } from './transport.ts';

/** What the server may be told at once, without being held. */
export interface WorkerReport {
  readonly runs: readonly RunReportInput[];
  /** Ids of the messages done with. */
  readonly ack?: readonly number[];
}

export interface WorkerProtocol {
  /**
   * Reports everything and waits for messages, as long as `hold` seconds.
   * @returns messages as they came: parse each with `workerMessage`, so that an unknown one does not hide the others.
   */
  checkin(checkin: CheckinInput, signal?: AbortSignal): Promise<unknown[]>;
  /** Reports changes at once; never held. */
  report(report: WorkerReport, signal?: AbortSignal): Promise<unknown[]>;
  /**
   * Asks for leave to start a run; granted once.
   * @param start hostname, Unix time in seconds, and the attempt.
   */
  startBundle(
    uuid: string,
    start: { readonly hostname: string; readonly start_time: number; readonly epoch?: number | undefined },
    signal?: AbortSignal,
  ): Promise<boolean>;
  /** Answers a read or netcat message with JSON. */
  reply(socketId: number, answer: unknown, signal?: AbortSignal): Promise<void>;
  /** Answers a read or netcat message with a header, as JSON, and bytes. Returns when the reader has all of them, or has left. */
  replyData(socketId: number, header: unknown, body: Body, signal?: AbortSignal): Promise<void>;
  /** Says that the worker leaves. */
  checkout(signal?: AbortSignal): Promise<void>;
}

/** @param workerId as the server lists it in `cl workers`. */
export function workerProtocol(client: RestClient, workerId: string): WorkerProtocol {
  const base = `/workers/${encodeURIComponent(workerId)}`;
  const options = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });
  const messages = async (
    path: string,
    json: unknown,
    signal: AbortSignal | undefined,
    idleTimeout: number,
  ) => listOf(await client.json('POST', `${base}/${path}`, { json, idleTimeout, ...options(signal) }));
  return {
    // The server answers within `hold` seconds; half a minute more without a byte means that the connection is dead.
    checkin: (checkin, signal) => messages('checkin', checkin, signal, ((checkin.hold ?? 10) + 30) * 1000),
    report: (report, signal) => messages('report', report, signal, 60_000),
    async startBundle(uuid, start, signal) {
      const granted = await client.json('POST', `${base}/start_bundle/${uuid}`, {
        json: start,
        ...options(signal),
      });
      return granted === true;
    },
    async reply(socketId, answer, signal) {
      await client.text('POST', `${base}/reply/${socketId}`, { json: answer, ...options(signal) });
    },
    async replyData(socketId, header, body, signal) {
      await client.text('POST', `${base}/reply_data/${socketId}`, {
        query: { header_message: JSON.stringify(header) },
        body,
        contentType: 'application/octet-stream',
        idleTimeout: 0,
        ...options(signal),
      });
    },
    async checkout(signal) {
      await client.text('POST', `${base}/checkout`, { json: {}, ...options(signal) });
    },
  };
}

/** Servers answer a check-in with a list, with one message, or with nothing. */
function listOf(answer: unknown): unknown[] {
  if (answer === null || answer === undefined) return [];
  return Array.isArray(answer) ? (answer as unknown[]) : [answer];
}
