/* What the tables of quirks work with: a server, an original worker, and a run in its hands. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, until, untilState, type NewBundle } from '../../runs/testing/bundles.ts';
import { originalWorker, type OriginalWorker } from '../../runs/testing/original-worker.ts';
import { reportOf } from '../../runs/testing/scripted-worker.ts';
import { databases, startTestServer, type TestServer } from '../../testing/test-server.ts';

export interface QuirkBench {
  readonly server: TestServer;
  /** An original worker that nobody else uses, and that gets only the runs made by `assigned`. */
  readonly newWorker: (id?: string) => Promise<OriginalWorker>;
  /** A run whose message the worker has. */
  readonly assigned: (
    worker: OriginalWorker,
    bundle?: NewBundle,
  ) => Promise<{ uuid: string; message: RawMessage }>;
  /** A run that the worker has been granted, and reports as running. */
  readonly running: (worker: OriginalWorker, bundle?: NewBundle) => Promise<string>;
}

export type RawMessage = Record<string, unknown>;

/** One fact of the specification, and what shows that it holds. */
export interface Quirk {
  readonly says: string;
  readonly holds: (bench: QuirkBench) => Promise<void>;
}

/** Runs a table on every engine; its type names every quirk there is, so that none is left out. */
export function describeQuirks(name: string, table: Readonly<Record<string, Quirk>>): void {
  describe.each(databases)(`${name} (%s)`, (database) => {
    let server: TestServer;
    beforeAll(async () => {
      server = await startTestServer({ database });
    });
    afterAll(async () => {
      await server.close();
    });
    it.each(Object.entries(table).map(([id, quirk]) => [id, quirk.says, quirk] as const))(
      '%s %s',
      async (_id, _says, { holds }) => await holds(benchOn(server)),
    );
  });
}

let workers = 0;

export function benchOn(server: TestServer): QuirkBench {
  const tags = new Map<OriginalWorker, string>();
  const bench: QuirkBench = {
    server,
    newWorker: async (id) => {
      workers += 1;
      const tag = `tag${workers}`;
      const plain = await originalWorker(server, { id: id ?? `node7(${workers})` });
      const worker: OriginalWorker = {
        ...plain,
        checkin: (more = {}) => plain.checkin({ tag, tag_exclusive: true, hold: 0, ...more }),
      };
      tags.set(worker, tag);
      await worker.checkin();
      return worker;
    },
    assigned: async (worker, bundle = {}) => {
      const metadata = { ...bundle.metadata, request_queue: tags.get(worker) };
      const uuid = await createBundle(server, { ...bundle, metadata });
      const message = await until(async () => {
        const messages = await worker.checkin();
        return messages.find((one) => one?.['type'] === 'run') ?? undefined;
      }, 'a run message');
      return { uuid, message };
    },
    running: async (worker, bundle) => {
      const { uuid } = await bench.assigned(worker, bundle);
      if (!(await worker.start(uuid))) throw new Error('The run was not granted.');
      await worker.checkin({ runs: [reportOf(uuid, 'running')] });
      await untilState(server, uuid, ['running']);
      return uuid;
    },
  };
  return bench;
}

/** A tar.gz such as workers send, with the given files. */
export function archiveOf(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-quirk-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
    return execFileSync('tar', ['-czf', '-', '-C', directory, '.'], { maxBuffer: 1 << 30 });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What `cl workers` knows about a worker. */
export async function infoOf(server: TestServer, worker: OriginalWorker): Promise<Record<string, unknown>> {
  const answer = await server.fetch('/rest/workers/info', { as: 'root' });
  const { data } = (await answer.json()) as { data: Record<string, unknown>[] };
  const found = data.find(({ worker_id: id }) => id === worker.id);
  if (found === undefined) throw new Error(`${worker.id} is not known`);
  return found;
}

/** A kill or a write, as clients ask for it. */
export async function act(server: TestServer, uuid: string, attributes: object): Promise<Response> {
  const document = { data: [{ type: 'bundle-actions', attributes: { uuid, ...attributes } }] };
  return await server.fetch('/rest/bundle-actions', { as: 'root', method: 'POST', json: document });
}

/** The next question that the worker is asked about a run it reports as running. */
export async function question(
  worker: OriginalWorker,
  uuid: string,
): Promise<Record<string, unknown> & { socket_id: number }> {
  return await until(async () => {
    const messages = await worker.checkin({ runs: [reportOf(uuid, 'running')] });
    const found = messages.find((message) => message !== null && 'socket_id' in message);
    return found === undefined ? undefined : (found as Record<string, unknown> & { socket_id: number });
  }, 'a question');
}

/** Somebody asks for a file that is missing; answers the mailbox that was used for it. */
export async function asked(
  server: TestServer,
  worker: OriginalWorker,
  uuid: string,
): Promise<{ socketId: number }> {
  const answer = server.fetch(`/rest/bundles/${uuid}/contents/info/nothing`, { as: 'root' });
  const { socket_id: socketId } = await question(worker, uuid);
  await worker.reply(socketId, { error_code: 404, error_message: 'nothing there' });
  expect((await answer).status).toBe(404);
  return { socketId };
}
