/* Each transport fact that original programs depend on (execution.md §2), on raw sockets. */
import { randomBytes } from 'node:crypto';
import { errorCatalogue } from '@sheaf/wire';
import { expect } from 'vitest';
import WebSocket from 'ws';
import { createBundle, putContents, uploadFile, viewBundle } from '../../runs/testing/bundles.ts';
import type { RawAnswer } from '../../runs/testing/original-worker.ts';
import { reportOf } from '../../runs/testing/scripted-worker.ts';
import { openRawConnection } from '../../testing/raw-connection.ts';
import { archiveOf, asked, describeQuirks, question, type Quirk } from './bench.ts';

type TransportQuirk = `T${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15}`;

/** The statuses Python's HTTP client knows; any other stops an original worker for an hour. */
const registeredStatuses = new Set([
  200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410,
  411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504,
  505, 507, 508, 511,
]);

const isPlainText = (answer: RawAnswer) => expect(answer.headers['content-type']).toMatch(/^text\/plain/);
const unknown = `0x${'ab'.repeat(16)}`;

const quirks: Record<TransportQuirk, Quirk> = {
  T1: {
    says: 'JSON is labelled exactly application/json, whatever answers it',
    holds: async ({ server, newWorker, assigned }) => {
      const worker = await newWorker();
      const data = await uploadFile(server, 'x');
      const { uuid } = await assigned(worker);
      const answers = [
        await worker.post('checkin', { runs: [], dependencies: [], hold: 0 }),
        await worker.post(`start_bundle/${uuid}`, { hostname: 'node7', start_time: 1 }),
        await worker.get(`/rest/bundles/${data}/contents/info/`),
        await worker.get('/rest/workers/info'),
        await worker.get(`/rest/bundles/${data}`),
      ];
      for (const answer of answers) {
        expect(answer.status).toBe(200);
        expect(answer.headers['content-type']).toBe('application/json');
      }
    },
  },
  T2: {
    says: 'JSON is never compressed, although workers say they take gzip',
    holds: async ({ server, newWorker }) => {
      const worker = await newWorker();
      const data = await uploadFile(server, 'x'.repeat(100_000));
      const info = await worker.simple(
        'GET',
        `/rest/bundles/${data}/contents/info/`,
        'Accept-Encoding: gzip\r\n',
      );
      expect(info.headers['content-encoding']).toBeUndefined();
      expect(JSON.parse(info.body.toString())).toMatchObject({ data: { type: 'file', size: 100_000 } });
    },
  },
  T3: {
    says: 'uploads and streamed replies name the whole URL on the request line',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      expect((await worker.upload(uuid, archiveOf({ stdout: 'x' }))).status).toBe(200);
      const { socketId } = await asked(server, worker, uuid);
      expect((await worker.replyStream(socketId, Buffer.from('late'))).status).toBe(200);
    },
  },
  T4: {
    says: 'NUL bytes that come while an upload is answered do not harm it',
    holds: async ({ newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      const answer = await worker.upload(uuid, archiveOf({ stdout: 'x' }), { strayNul: true });
      expect(answer.status).toBe(200);
    },
  },
  T5: {
    says: 'bodies in 16 KiB chunks without type or length are taken whole, and answered exactly 200',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      const bytes = randomBytes(3 * 16_384 + 5);
      const answer = await worker.upload(uuid, archiveOf({ stdout: '', result: bytes }));
      expect(answer.status).toBe(200);
      await worker.checkin({ runs: [reportOf(uuid, 'finalizing', { exitcode: 0 })] });
      const stored = await server.fetch(`/rest/bundles/${uuid}/contents/blob/result`, { as: 'root' });
      expect(Buffer.from(await stored.arrayBuffer()).equals(bytes)).toBe(true);
    },
  },
  T6: {
    says: 'raw bytes that are labelled as a form arrive as they are',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      const bytes = Buffer.from([0, 255, 37, 38, 61, 43, 13, 10, 128]);
      const asked = server.fetch(`/rest/bundles/${uuid}/netcat/5000/`, {
        as: 'root',
        method: 'PUT',
        json: { message: 'hello' },
      });
      const { socket_id: socketId } = await question(worker, uuid);
      const answer = await worker.simple(
        'POST',
        `${worker.base}/reply_data/${socketId}?header_message=%7B%7D`,
        `Content-Length: ${bytes.length}\r\nContent-Type: application/x-www-form-urlencoded\r\n`,
        bytes,
      );
      expect(answer.status).toBe(200);
      expect(Buffer.from(await (await asked).arrayBuffer()).equals(bytes)).toBe(true);
    },
  },
  T7: {
    says: 'JSON of requests may be labelled with a charset',
    holds: async ({ newWorker }) => {
      const worker = await newWorker();
      const body = Buffer.from(JSON.stringify({ runs: [], dependencies: [], group_name: 'nödé', hold: 0 }));
      const headers = `Content-Length: ${body.length}\r\nContent-Type: application/json; charset=utf-8\r\n`;
      expect((await worker.simple('POST', `${worker.base}/checkin`, headers, body)).status).toBe(200);
    },
  },
  T8: {
    says: 'who is not signed in gets a plain 401, never a redirect',
    holds: async ({ server, newWorker }) => {
      const { base } = await newWorker();
      for (const path of [
        'checkin',
        `start_bundle/${unknown}`,
        'reply/1',
        'reply_data/1?header_message=%7B%7D',
      ]) {
        const connection = await openRawConnection(server.url);
        connection.send(
          `POST ${base}/${path} HTTP/1.1\r\nHost: x\r\nX-Requested-With: XMLHttpRequest\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
        );
        const answer = await connection.ended();
        expect(answer).toMatch(/^HTTP\/1.1 401 /);
        expect(answer.toLowerCase()).toContain('content-type: text/plain');
      }
    },
  },
  T9: {
    says: 'whatever is sent twice has happened once',
    holds: async ({ server, newWorker, assigned }) => {
      const worker = await newWorker();
      const { uuid } = await assigned(worker);
      expect([await worker.start(uuid), await worker.start(uuid)]).toEqual([true, true]);
      const running = { runs: [reportOf(uuid, 'running', { container_time_total: 2, disk_utilization: 5 })] };
      await worker.checkin(running);
      await worker.checkin(running);
      const view = await viewBundle(server, uuid);
      expect(view).toMatchObject({
        state: 'running',
        metadata: { time: 2, data_size: 5, remote_history: ['node7'] },
      });
      const { socketId } = await asked(server, worker, uuid);
      for (let time = 0; time < 2; time += 1) {
        expect((await worker.reply(socketId, { error_code: 404, error_message: 'no' })).status).toBe(200);
        expect((await worker.replySmall(socketId, 'late')).status).toBe(200);
      }
      for (let time = 0; time < 2; time += 1) {
        expect((await worker.upload(uuid, archiveOf({ stdout: 'four' }))).status).toBe(200);
      }
      const finalizing = { runs: [reportOf(uuid, 'finalizing', { exitcode: 0 })] };
      for (let time = 0; time < 2; time += 1) {
        expect(await worker.checkin(finalizing)).toContainEqual({ type: 'mark_finalized', uuid });
      }
      expect(await viewBundle(server, uuid)).toMatchObject({ state: 'ready', metadata: { data_size: 4 } });
      // After the end an upload is refused, twice, and changes nothing.
      for (let time = 0; time < 2; time += 1) {
        expect((await worker.upload(uuid, archiveOf({ stdout: 'other' }))).status).toBe(403);
      }
      expect((await viewBundle(server, uuid)).metadata['data_size']).toBe(4);
    },
  },
  T10: {
    says: 'the connection is closed where the worker asks for it',
    holds: async ({ server, newWorker }) => {
      const { base } = await newWorker();
      const connection = await openRawConnection(server.url);
      const body = '{"runs":[],"dependencies":[],"hold":0}';
      connection.send(
        `POST ${base}/checkin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await server.tokenFor('root')}\r\nX-Requested-With: XMLHttpRequest\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
      const answer = await connection.ended();
      expect(answer.toLowerCase()).toContain('connection: close');
      expect(answer).toMatch(/\[null\]$/);
    },
  },
  T11: {
    says: 'ids are encoded in paths and bare in WebSocket URLs, and mean the same worker',
    holds: async ({ server, newWorker, running }) => {
      for (const id of ['node7(4242)', 'höst 1', '50%zz', "a'b!*"]) {
        await newWorker(id);
        const info = (await (await server.fetch('/rest/workers/info', { as: 'root' })).json()) as {
          data: { worker_id: string }[];
        };
        expect(info.data.map(({ worker_id: known }) => known)).toContain(id);
      }
      const worker = await newWorker('bare(1)');
      const { host } = new URL(server.url);
      const socket = new WebSocket(`ws://${host}/ws/worker/bare(1)`);
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      const woken = new Promise((resolve) => socket.once('message', resolve));
      const uuid = await running(worker);
      await woken;
      socket.terminate();
      expect(uuid).toMatch(/^0x/);
    },
  },
  T12: {
    says: 'paths of contents come unescaped, empty, or with slashes at the end',
    holds: async ({ server, newWorker }) => {
      const worker = await newWorker();
      const data = await createBundle(server, { type: 'dataset', query: 'wait_for_upload=1' });
      const archive = archiveOf({ '50%zz': 'odd', 'a&b=c+d': 'plain' });
      expect((await putContents(server, data, archive, { query: 'filename=a.tar.gz' })).status).toBe(200);
      for (const [path, type] of [
        ['', 'directory'],
        ['/', 'directory'],
        ['50%zz', 'file'],
        ['a&b=c+d', 'file'],
      ]) {
        const info = await worker.get(`/rest/bundles/${data}/contents/info/${path}`);
        expect([path, info.status]).toEqual([path, 200]);
        expect(JSON.parse(info.body.toString())).toMatchObject({ data: { type } });
        const blob = await worker.get(`/rest/bundles/${data}/contents/blob/${path}?support_redirect=1`);
        expect([path, blob.status]).toEqual([path, 200]);
      }
      // `?` begins a query and `#` cuts the path: what is left names nothing here.
      expect((await worker.get(`/rest/bundles/${data}/contents/info/50?x#y`)).status).toBe(404);
      const single = await uploadFile(server, 'alone');
      expect((await worker.get(`/rest/bundles/${single}/contents/blob/`)).body.toString()).toBe('alone');
    },
  },
  T13: {
    says: 'errors are plain text with a registered status',
    holds: async ({ newWorker }) => {
      const worker = await newWorker();
      const refusals = [
        await worker.get(`/rest/bundles/${unknown}/contents/info/`),
        await worker.post('checkin', { cpus: 'many' }),
        await worker.simple(
          'POST',
          `${worker.base}/checkin`,
          'Content-Length: 1\r\nContent-Type: application/json; charset=utf-8\r\n',
          Buffer.from('{'),
        ),
        await worker.reply(987_654, {}),
        await worker.chunked('POST', `${worker.base}/reply_data/1`, Buffer.alloc(10)),
        await worker.upload(unknown, Buffer.alloc(50_000)),
      ];
      for (const refusal of refusals) {
        expect(refusal.status).toBeGreaterThanOrEqual(400);
        isPlainText(refusal);
        expect(registeredStatuses).toContain(refusal.status);
      }
      for (const { status } of Object.values(errorCatalogue)) expect(registeredStatuses).toContain(status);
    },
  },
  T14: {
    says: 'JSON of 8 MiB is taken',
    holds: async ({ newWorker }) => {
      const worker = await newWorker();
      const body = { runs: [], dependencies: [[unknown, 'x'.repeat(7.9 * 1024 * 1024)]], hold: 0 };
      expect((await worker.post('checkin', body)).status).toBe(200);
    },
  },
  T15: {
    says: 'nothing that a worker asks for is answered with a redirect',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      const data = await uploadFile(server, 'text');
      const proxied = 'X-Forwarded-Proto: http\r\nX-Forwarded-Host: example.org\r\n';
      const answers = [
        await worker.simple('GET', `/rest/bundles/${data}/contents/blob/?support_redirect=1`, proxied),
        await worker.simple('GET', `/rest/bundles/${data}/contents/info/`, proxied),
        await worker.simple('POST', `${worker.base}/checkin`, `${proxied}Content-Length: 0\r\n`),
        await worker.upload(uuid, archiveOf({ stdout: '' })),
        await worker.upload(unknown, archiveOf({ stdout: '' })),
      ];
      for (const { status } of answers) expect(Math.floor(status / 100)).not.toBe(3);
    },
  },
};

describeQuirks('transport', quirks);
