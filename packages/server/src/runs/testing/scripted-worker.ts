/* A worker of protocol 2 that does exactly what a test says. */
import { expect } from 'vitest';
import type { CheckinInput, RunReportInput, WorkerMessage } from '@sheaf/wire';
import type { TestServer } from '../../testing/test-server.ts';

export interface ScriptedWorker {
  readonly id: string;
  readonly owner: string;
  /** One check-in; acknowledges what came before. */
  checkin(more?: Partial<CheckinInput>): Promise<WorkerMessage[]>;
  /** Checks in until a message of the type comes. */
  next<Type extends WorkerMessage['type']>(
    type: Type,
    more?: Partial<CheckinInput>,
  ): Promise<Extract<WorkerMessage, { type: Type }>>;
  report(runs: RunReportInput[]): Promise<WorkerMessage[]>;
  start(uuid: string, epoch?: number): Promise<boolean>;
  post(path: string, json: unknown): Promise<Response>;
  reply(socketId: number, value: unknown): Promise<Response>;
  replyData(socketId: number, body: string | Uint8Array, header?: unknown): Promise<Response>;
}

const offer: CheckinInput = {
  tag: null,
  group_name: null,
  cpus: 4,
  gpus: 0,
  memory_bytes: 16 * 1024 ** 3,
  free_disk_bytes: 100 * 1024 ** 3,
  dependencies: [],
  hostname: 'node7',
  runs: [],
  shared_file_system: false,
  tag_exclusive: false,
  exit_after_num_runs: 999_999_999,
  is_terminating: false,
  preemptible: false,
  protocol: 2,
  version: '0.1.0',
  runtime: { name: 'scripted', images: true, description: 'For tests.' },
};

export function scriptedWorker(
  server: TestServer,
  {
    id = 'worker-1',
    owner = 'root',
    ...settings
  }: { id?: string; owner?: string } & Partial<CheckinInput> = {},
): ScriptedWorker {
  let acknowledged: number[] = [];
  const base = `/rest/workers/${encodeURIComponent(id)}`;
  const post = (path: string, json: unknown) =>
    server.fetch(`${base}/${path}`, { as: owner, method: 'POST', json });
  const messagesOf = async (response: Response): Promise<WorkerMessage[]> => {
    const text = await response.text();
    expect(response.status, text).toBe(200);
    const messages = (JSON.parse(text) as (WorkerMessage | null)[]).filter((message) => message !== null);
    acknowledged.push(
      ...messages.flatMap(({ message_id }) => (message_id === undefined ? [] : [message_id])),
    );
    return messages;
  };
  const checkin: ScriptedWorker['checkin'] = async (more = {}) => {
    const ack = acknowledged;
    acknowledged = [];
    return await messagesOf(await post('checkin', { ...offer, ...settings, hold: 5, ack, ...more }));
  };
  const worker: ScriptedWorker = {
    id,
    owner,
    post,
    checkin,
    next: async (type, more) => {
      const deadline = Date.now() + 10_000;
      while (Date.now() < deadline) {
        for (const message of await checkin(more)) {
          if (message.type === type) return message as Extract<WorkerMessage, { type: typeof type }>;
        }
      }
      throw new Error(`No ${type} message came.`);
    },
    report: async (runs) => {
      const ack = acknowledged;
      acknowledged = [];
      return await messagesOf(await post('report', { runs, ack }));
    },
    start: async (uuid, epoch) => {
      const response = await post(`start_bundle/${uuid}`, {
        hostname: settings.hostname ?? 'node7',
        start_time: Math.floor(Date.now() / 1000),
        ...(epoch === undefined ? {} : { epoch }),
      });
      expect(response.status).toBe(200);
      return (await response.json()) as boolean;
    },
    reply: (socketId, value) => post(`reply/${socketId}`, value),
    replyData: (socketId, body, header = {}) =>
      server.fetch(
        `${base}/reply_data/${socketId}?header_message=${encodeURIComponent(JSON.stringify(header))}`,
        {
          as: owner,
          method: 'POST',
          body,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        },
      ),
  };
  return worker;
}

/** A report with everything an original worker sends. */
export function reportOf(
  uuid: string,
  state: RunReportInput['state'],
  more: Partial<RunReportInput> = {},
): RunReportInput {
  return {
    uuid,
    state,
    run_status: 'Running job in container.',
    bundle_start_time: 1_700_000_000,
    container_time_total: 0,
    container_time_user: 0,
    container_time_system: 0,
    docker_image: null,
    remote: 'worker-1',
    exitcode: null,
    failure_message: null,
    disk_utilization: 0,
    ...more,
  };
}
