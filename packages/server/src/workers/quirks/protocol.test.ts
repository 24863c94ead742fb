/* What original workers send and are sent (execution.md §2-§5), on raw sockets. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { createBundle, until, untilState, uploadFile, viewBundle } from '../../runs/testing/bundles.ts';
import type { RawAnswer } from '../../runs/testing/original-worker.ts';
import { reportOf } from '../../runs/testing/scripted-worker.ts';
import { sharedPassword } from '../../testing/test-server.ts';
import { act, archiveOf, asked, describeQuirks, infoOf, question, type Quirk } from './bench.ts';

type ProtocolQuirk =
  | '§2 sleep'
  | '§3 token'
  | '§4.1 defaults'
  | '§4.2 reports'
  | '§4.3 group'
  | '§4.4 order'
  | '§5.1 run'
  | '§5.1 once'
  | '§5.2 marks'
  | '§5.3 reads'
  | '§5.3 empty'
  | '§5.3 gone'
  | '§5.4 netcat';

const unknown = `0x${'cd'.repeat(16)}`;

const quirks: Record<ProtocolQuirk, Quirk> = {
  '§2 sleep': {
    says: 'nothing that would put a worker to sleep for an hour is ever answered',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const foreign = await createBundle(server, { as: 'nobody-knows' });
      const deleted = await createBundle(server, { metadata: { request_queue: 'nowhere' } });
      await server.fetch('/rest/bundles', {
        as: 'root',
        method: 'DELETE',
        json: { data: [{ type: 'bundles', id: deleted }] },
      });
      for (const uuid of [foreign, deleted, unknown]) expect(await worker.start(uuid)).toBe(false);
      const uuid = await running(worker);
      const { socketId } = await asked(server, worker, uuid);
      // The second report of one failed read, and a late one that says that the run is gone.
      for (const message of ['again', 'Bundle no longer running']) {
        expect((await worker.reply(socketId, { error_code: 500, error_message: message })).status).toBe(200);
      }
    },
  },
  '§3 token': {
    says: 'the password grant answers what workers check, and leaves other tokens valid',
    holds: async ({ server, newWorker }) => {
      const worker = await newWorker();
      const name = `owner${randomBytes(4).toString('hex')}`;
      await server.createUser({ name });
      const sign = async (password: string) => {
        const body = Buffer.from(`grant_type=password&username=${name}&password=${password}`);
        const basic = 'Authorization: Basic Y29kYWxhYl93b3JrZXJfY2xpZW50Og==\r\n';
        const headers = `${basic}Content-Length: ${body.length}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
        return await worker.simple('POST', '/rest/oauth2/token', headers, body, { anonymous: true });
      };
      const tokens = [json(await sign(sharedPassword)), json(await sign(sharedPassword))];
      for (const token of tokens) {
        expect(token).toMatchObject({ token_type: 'Bearer' });
        expect(token['expires_in']).toBeGreaterThan(300);
        const answer = await server.fetch('/rest/user', {
          headers: { authorization: `Bearer ${String(token['access_token'])}` },
        });
        expect(answer.status).toBe(200);
      }
      const refused = await sign('wrong');
      expect(Math.floor(refused.status / 100)).toBe(4);
    },
  },
  '§4.1 defaults': {
    says: 'a check-in may leave everything out, and an empty object stands for a list',
    holds: async ({ server, newWorker }) => {
      const worker = await newWorker();
      for (const body of [
        {},
        { dependencies: {}, runs: [] },
        { cpus: null, memory_bytes: null, free_disk_bytes: null },
      ]) {
        const answer = await worker.post('checkin', { hold: 0, surprise: { unknown: true }, ...body });
        expect([answer.status, answer.body.toString()]).toEqual([200, '[null]']);
      }
      expect(await infoOf(server, worker)).toMatchObject({
        cpus: 0,
        gpus: 0,
        memory_bytes: 0,
        tag: null,
        exit_after_num_runs: 999_999_999,
      });
    },
  },
  '§4.2 reports': {
    says: 'a report may miss fields, and a broken one spoils nothing else',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      await worker.checkin({ runs: [reportOf(uuid, 'running', { disk_utilization: 77 })] });
      await worker.checkin({ runs: [{ uuid: 5 }, 'nonsense', { uuid, state: 'running' }] });
      expect(await viewBundle(server, uuid)).toMatchObject({ state: 'running', metadata: { data_size: 77 } });
    },
  },
  '§4.3 group': {
    says: 'an unknown group shares with nobody, and none takes an earlier one back',
    holds: async ({ server, newWorker }) => {
      const worker = await newWorker();
      const name = `group${randomBytes(4).toString('hex')}`;
      const made = await server.fetch('/rest/groups', {
        as: 'root',
        method: 'POST',
        json: { data: [{ type: 'groups', attributes: { name } }] },
      });
      expect(made.status).toBe(200);
      await worker.checkin({ group_name: name });
      expect((await infoOf(server, worker))['group_uuid']).toMatch(/^0x/);
      await worker.checkin({ group_name: `no-${name}` });
      expect((await infoOf(server, worker))['group_uuid']).toBeNull();
      await worker.checkin({ group_name: name });
      await worker.checkin({ group_name: null });
      expect((await infoOf(server, worker))['group_uuid']).toBeNull();
    },
  },
  '§4.4 order': {
    says: 'run messages come first, all others concern runs of this very check-in, and nothing is [null]',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const held = await running(worker);
      await act(server, held, { type: 'kill' });
      const tag = (await infoOf(server, worker))['tag'];
      const next = await createBundle(server, { metadata: { request_queue: tag } });
      await untilState(server, next, ['starting']);
      const messages = await worker.checkin({ runs: [reportOf(held, 'running')] });
      expect(messages.map((message) => message?.['type'])).toEqual(['run', 'kill']);
      await worker.start(next);
      expect(await worker.checkin({ runs: [reportOf(next, 'preparing')] })).toEqual([null]);
    },
  },
  '§5.1 run': {
    says: 'a run message has every key, and none of them null where a value is read',
    holds: async ({ server, newWorker, assigned }) => {
      const worker = await newWorker();
      const parent = await uploadFile(server, 'x');
      const { message } = await assigned(worker, {
        dependencies: [{ child_path: 'in', parent_uuid: parent }],
      });
      const { bundle, resources } = message as {
        bundle: Record<string, unknown> & { metadata: object; dependencies: object[] };
        resources: object;
      };
      for (const key of ['uuid', 'bundle_type', 'owner_id', 'command', 'state', 'is_anonymous', 'args']) {
        expect([key, bundle[key] ?? null]).not.toEqual([key, null]);
      }
      expect(bundle.metadata).toMatchObject({ exclude_patterns: [], store: '' });
      expect(bundle.dependencies).toEqual([
        expect.objectContaining({
          parent_name: 'dataset-of-test',
          parent_path: '',
          parent_uuid: parent,
          child_path: 'in',
          child_uuid: bundle['uuid'],
        }),
      ]);
      expect(resources).toMatchObject({
        cpus: 1,
        gpus: 0,
        docker_image: expect.stringContaining(':') as unknown,
        time: expect.any(Number) as unknown,
        memory: expect.any(Number) as unknown,
        disk: expect.any(Number) as unknown,
        network: true,
        tag: expect.any(String) as unknown,
        tag_exclusive: false,
        runs_left: null,
      });
    },
  },
  '§5.1 once': {
    says: 'a run that was granted is never sent again, one that was not asked for is',
    holds: async ({ newWorker, assigned }) => {
      const worker = await newWorker();
      const { uuid } = await assigned(worker);
      await until(async () => {
        const messages = await worker.checkin();
        return messages.some((message) => message?.['type'] === 'run') ? true : undefined;
      }, 'the run again');
      expect(await worker.start(uuid)).toBe(true);
      for (let time = 0; time < 3; time += 1) {
        expect(await worker.checkin({ runs: [reportOf(uuid, 'preparing')] })).toEqual([null]);
      }
    },
  },
  '§5.2 marks': {
    says: 'mark_finalized answers only the report of the end',
    holds: async ({ newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      for (const state of ['preparing', 'running'] as const) {
        expect(await worker.checkin({ runs: [reportOf(uuid, state)] })).toEqual([null]);
      }
      expect(await worker.checkin({ runs: [reportOf(uuid, 'finalizing', { exitcode: 0 })] })).toEqual([
        { type: 'mark_finalized', uuid },
      ]);
      expect(await worker.checkin({ runs: [reportOf(uuid, 'ready')] })).toEqual([null]);
    },
  },
  '§5.3 reads': {
    says: 'nothing is read before the worker has said what it is',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      const answer = server.fetch(`/rest/bundles/${uuid}/contents/blob/stdout`, { as: 'root' });
      const first = await question(worker, uuid);
      expect(first).toMatchObject({ read_args: { type: 'get_target_info' } });
      await worker.reply(first.socket_id, {
        target_info: { name: 'stdout', type: 'file', size: 3, perm: 420 },
      });
      const second = await question(worker, uuid);
      expect(second).toMatchObject({ read_args: { type: 'stream_file' } });
      await worker.replyStream(second.socket_id, Buffer.from('abc'));
      expect(await (await answer).text()).toBe('abc');
    },
  },
  '§5.3 empty': {
    says: 'an empty reply, not even gzip, stands for a file that is gone',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      const answer = server.fetch(`/rest/bundles/${uuid}/contents/blob/stdout`, { as: 'root' });
      const first = await question(worker, uuid);
      await worker.reply(first.socket_id, {
        target_info: { name: 'stdout', type: 'file', size: 3, perm: 420 },
      });
      const second = await question(worker, uuid);
      const empty = await worker.chunked(
        'POST',
        `${worker.base}/reply_data/${second.socket_id}?header_message=%7B%7D`,
        Buffer.alloc(0),
      );
      expect(empty.status).toBe(200);
      // Either an empty file or a connection that breaks, but an end.
      expect(await (await answer).text().catch(() => '')).toBe('');
    },
  },
  '§5.3 gone': {
    says: 'a run that its worker has let go of meanwhile is looked for once more',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      const answer = server.fetch(`/rest/bundles/${uuid}/contents/blob/stdout`, { as: 'root' });
      const first = await question(worker, uuid);
      await worker.upload(uuid, archiveOf({ stdout: 'stored' }));
      await worker.checkin({ runs: [reportOf(uuid, 'finalizing', { exitcode: 0 })] });
      await worker.reply(first.socket_id, { error_code: 500, error_message: 'Bundle no longer running' });
      expect(await (await answer).text()).toBe('stored');
    },
  },
  '§5.4 netcat': {
    says: 'an empty object stands for an answer without bytes',
    holds: async ({ server, newWorker, running }) => {
      const worker = await newWorker();
      const uuid = await running(worker);
      const answer = server.fetch(`/rest/bundles/${uuid}/netcat/5000/`, {
        as: 'root',
        method: 'PUT',
        json: { message: 'hello' },
      });
      const { socket_id: socketId } = await question(worker, uuid);
      expect((await worker.reply(socketId, {})).status).toBe(200);
      expect([(await answer).status, await (await answer).text()]).toEqual([200, '']);
    },
  },
};

describeQuirks('messages', quirks);

function json(answer: RawAnswer): Record<string, unknown> {
  return JSON.parse(answer.body.toString()) as Record<string, unknown>;
}
