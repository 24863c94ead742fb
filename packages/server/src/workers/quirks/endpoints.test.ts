/* Further endpoints of original workers and their clients (execution.md §6, §8, §14.1, §31.8), on raw sockets. */
import { randomBytes } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { createBundle, diskUsed, untilState, uploadFile, viewBundle } from '../../runs/testing/bundles.ts';
import { reportOf } from '../../runs/testing/scripted-worker.ts';
import { openRawConnection } from '../../testing/raw-connection.ts';
import { act, archiveOf, asked, describeQuirks, infoOf, type Quirk } from './bench.ts';

type EndpointQuirk =
  | '§6.1 start'
  | '§6.2 sockets'
  | '§6.3 headers'
  | '§6.4 encodings'
  | '§6.4 truncated'
  | '§6.5 refusals'
  | '§6.5 quota'
  | '§6.6 info'
  | '§8.1 early kill'
  | '§14.1 disk kill'
  | '§31.8 extensions';

const unknown = `0x${'cd'.repeat(16)}`;

const quirks: Record<EndpointQuirk, Quirk> = {
  '§6.1 start': {
    says: 'only the worker that has the run may start it, and once',
    holds: async ({ server, newWorker, assigned }) => {
      const [worker, other] = [await newWorker(), await newWorker()];
      const { uuid } = await assigned(worker);
      expect(await other.start(uuid)).toBe(false);
      expect((await viewBundle(server, uuid)).state).toBe('starting');
      expect(await worker.start(uuid)).toBe(true);
      const { metadata } = await viewBundle(server, uuid);
      expect(metadata).toMatchObject({
        started: 1_700_000_000,
        remote: 'node7',
        on_preemptible_worker: false,
      });
      // The server's clock, not the worker's: that one may be wrong by years.
      expect(metadata['last_updated']).toBeGreaterThan(1_750_000_000);
    },
  },
  '§6.2 sockets': {
    says: 'mailboxes of others are refused, those of questions that are over are not',
    holds: async ({ server, newWorker, running }) => {
      const [worker, other] = [await newWorker(), await newWorker()];
      const uuid = await running(worker);
      const { socketId } = await asked(server, worker, uuid);
      expect((await worker.reply(socketId, {})).status).toBe(200);
      for (const refused of [await other.reply(socketId, {}), await other.replySmall(socketId, 'x')]) {
        expect([refused.status, refused.body.toString()]).toEqual([403, 'Not your socket ID!']);
      }
    },
  },
  '§6.3 headers': {
    says: 'a reply without a proper header message is refused with the known words',
    holds: async ({ newWorker }) => {
      const worker = await newWorker();
      const texts = [];
      for (const query of ['', '?header_message=', '?header_message=%7B']) {
        const answer = await worker.chunked(
          'POST',
          `${worker.base}/reply_data/1${query}`,
          Buffer.alloc(40_000),
        );
        texts.push([answer.status, answer.body.toString()]);
      }
      expect(texts).toEqual([
        [400, 'Missing header message.'],
        [400, 'Missing header message.'],
        [400, 'Header message should be in JSON format.'],
      ]);
    },
  },
  '§6.4 encodings': {
    says: 'directories come as identity, files as gzip, in answers whose end cannot be mistaken',
    holds: async ({ server, newWorker }) => {
      const worker = await newWorker();
      const uuid = await uploadFile(server, 'text');
      const get = async (path: string) =>
        await worker.simple(
          'GET',
          `/rest/bundles/${uuid}/contents/blob/${path}?support_redirect=1`,
          'Accept-Encoding: gzip\r\n',
          Buffer.alloc(0),
          { encoding: '' },
        );
      const file = await get('');
      expect(file.headers).toMatchObject({ 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' });
      expect(gunzipSync(file.body).toString()).toBe('text');
    },
  },
  '§6.4 truncated': {
    says: 'a body that cannot be had whole breaks off and never ends as if it were',
    holds: async ({ server }) => {
      const bytes = randomBytes(4 * 1024 * 1024);
      const uuid = await uploadFile(server, bytes);
      const info = await server.fetch(`/rest/bundles/${uuid}/contents/entry/`, { as: 'root' });
      const { data } = (await info.json()) as { data: { entry: { digest: string } } };
      truncateSync(server.services.store.localPath(data.entry.digest), 1024 * 1024);
      const connection = await openRawConnection(server.url);
      connection.send(
        `GET /rest/bundles/${uuid}/contents/blob/?support_redirect=1 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer ${await server.tokenFor('root')}\r\nX-Requested-With: XMLHttpRequest\r\nConnection: close\r\n\r\n`,
      );
      const answer = await connection.ended();
      expect(answer).toMatch(/^HTTP\/1.1 200 /);
      expect(answer.endsWith('\r\n0\r\n\r\n')).toBe(false);
    },
  },
  '§6.5 refusals': {
    says: 'results are refused only when all of them have come',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const other = await newWorker();
      const uuid = await running(worker);
      await worker.checkin({ runs: [reportOf(uuid, 'finalizing', { exitcode: 1 })] });
      const big = randomBytes(2 * 1024 * 1024);
      const final = await worker.upload(uuid, big);
      expect([final.status, final.body.toString()]).toEqual([
        403,
        'Contents cannot be modified, bundle already finalized.',
      ]);
      const waiting = await createBundle(server, { metadata: { request_queue: 'nowhere' } });
      expect((await other.upload(waiting, big)).status).toBe(403);
      expect((await other.upload(unknown, big)).status).toBe(404);
    },
  },
  '§6.5 quota': {
    says: 'results that do not fit are refused with 400 and fail the run, which was not final before',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const as = `small${randomBytes(4).toString('hex')}`;
      await server.createUser({ name: as, diskQuota: 1000 });
      const uuid = await running(worker, { as });
      const refused = await worker.upload(uuid, archiveOf({ stdout: 'x'.repeat(1001) }));
      expect(refused.status).toBe(400);
      expect(refused.body.toString()).toMatch(/^Upload failed: /);
      expect((await viewBundle(server, uuid, as)).state).toBe('running');
      const said = `Error while uploading: Unable to update bundle contents in bundle service: Bad Request - ${refused.body.toString()}`;
      // The worker still measures what it holds: that counts no more.
      const end = { exitcode: 0, failure_message: said, disk_utilization: 1001 };
      await worker.checkin({ runs: [reportOf(uuid, 'finalizing', end)] });
      expect(await viewBundle(server, uuid, as)).toMatchObject({
        state: 'failed',
        metadata: { failure_message: said, data_size: 0 },
      });
      expect(await diskUsed(server, as)).toBe(0);
    },
  },
  '§6.6 info': {
    says: 'a run that asked for no cores takes none in the table',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker, { metadata: { request_cpus: 0, request_gpus: 0 } });
      expect(await infoOf(server, worker)).toMatchObject({
        run_uuids: [uuid],
        cpus: 4,
        cpus_in_use: 0,
        gpus_in_use: 0,
        socket_id: expect.any(Number) as unknown,
        checkin_time: expect.any(Number) as unknown,
        shared_file_system: false,
        tag_exclusive: true,
        is_terminating: false,
        preemptible: false,
      });
    },
  },
  '§8.1 early kill': {
    says: 'a kill before the start is remembered, though the worker drops it',
    holds: async ({ server, newWorker, assigned }) => {
      const worker = await newWorker();
      const { uuid } = await assigned(worker);
      expect((await act(server, uuid, { type: 'kill' })).status).toBe(200);
      expect(await worker.start(uuid)).toBe(false);
      expect(await untilState(server, uuid, ['killed'])).toMatchObject({ metadata: { actions: ['kill'] } });
      expect(await worker.checkin({ runs: [reportOf(uuid, 'preparing')] })).toContainEqual({
        type: 'kill',
        uuid,
      });
    },
  },
  '§14.1 disk kill': {
    says: 'is sent only for a command that runs, and has run for five seconds',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const as = `full${randomBytes(4).toString('hex')}`;
      await server.createUser({ name: as, diskQuota: 10 });
      const uuid = await running(worker, { as });
      const answerTo = async (seconds: number, end: number | null) => {
        const stats = { 'RUN_STAGE.RUNNING': { start: 1, end, elapsed: end === null ? null : end - 1 } };
        const more = { container_time_total: seconds, disk_utilization: 1000, bundle_profile_stats: stats };
        return await worker.checkin({ runs: [reportOf(uuid, 'running', more)] });
      };
      expect(await answerTo(4.9, null)).toEqual([null]);
      expect(await answerTo(9, 10)).toEqual([null]);
      const text =
        'Kill requested: User disk quota exceeded. To apply for more quota, please visit the following link: https://codalab-worksheets.readthedocs.io/en/latest/FAQ/#how-do-i-request-more-disk-quota-or-time-quota';
      for (let time = 0; time < 2; time += 1) {
        expect(await answerTo(5, null)).toEqual([{ type: 'kill', uuid, kill_message: text }]);
      }
    },
  },
  '§31.8 extensions': {
    says: 'what only new workers understand is never sent: no ids, no hints, no unknown types',
    holds: async ({ server, newWorker, assigned }) => {
      const worker = await newWorker();
      const { uuid, message } = await assigned(worker);
      expect(message).not.toHaveProperty('message_id');
      await worker.start(uuid);
      const parent = await uploadFile(server, 'x');
      const tag = (await infoOf(server, worker))['tag'];
      // More than there is room for, so that some of them wait.
      for (let more = 0; more < 6; more += 1) {
        await createBundle(server, {
          metadata: { request_queue: tag, request_cpus: 2 },
          dependencies: [{ child_path: 'in', parent_uuid: parent }],
        });
      }
      const seen = new Set<unknown>();
      for (let time = 0; time < 5; time += 1) {
        for (const one of await worker.checkin({ runs: [reportOf(uuid, 'running')] })) {
          if (one !== null) seen.add(one['type']);
        }
      }
      for (const type of seen)
        expect(['run', 'kill', 'mark_finalized', 'read', 'netcat', 'write']).toContain(type);
    },
  },
};

describeQuirks('endpoints', quirks);
