/* Dependencies from creation to the run's end: what is refused, what waits, what fails early, and who reads through them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReportInput } from '@sheaf/wire';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { createBundle, putContents, untilState, uploadFile, viewBundle } from './testing/bundles.ts';
import { reportOf, scriptedWorker, type ScriptedWorker } from './testing/scripted-worker.ts';

const waits = { request_queue: 'nobody' };

describe.each(databases)('dependencies (%s)', (database) => {
  let server: TestServer;
  let file: string;
  let tree: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
    file = await uploadFile(server, 'one');
    const make = async (...keys: string[]) => {
      const dependencies = keys.map((child_path) => ({ child_path, parent_uuid: file }));
      const uuid = await createBundle(server, { type: 'make', dependencies });
      await untilState(server, uuid, ['ready']);
      return uuid;
    };
    tree = await make('a/b/c', 'a/d', 'e');
  });
  afterAll(() => server.close());

  const post = async (type: string, dependencies: unknown): Promise<{ status: number; text: string }> => {
    const metadata = { name: 'x', description: '', tags: [], allow_failed_dependencies: false };
    const requests = {
      request_docker_image: '',
      request_time: '',
      request_memory: '2g',
      request_disk: '',
      request_cpus: 1,
      request_gpus: 0,
      request_queue: 'nobody',
      request_priority: 0,
      request_network: true,
      exclude_patterns: [],
      store: '',
    };
    const attributes = {
      bundle_type: type,
      command: type === 'run' ? 'true' : null,
      metadata: ofType(type, metadata, requests),
      dependencies,
    };
    const response = await server.fetch('/rest/bundles?detached=1', {
      as: 'root',
      method: 'POST',
      json: { data: [{ type: 'bundles', attributes }] },
    });
    return { status: response.status, text: await response.text() };
  };
  const ofType = (type: string, common: object, requests: object): object => {
    if (type === 'run') return { ...common, ...requests };
    return type === 'make' ? common : { name: 'x', description: '', tags: [], license: '', source_url: '' };
  };
  const get = async (as: string | undefined, kind: string, uuid: string, path: string) => {
    const response = await server.fetch(
      `/rest/bundles/${uuid}/contents/${kind}/${path}`,
      as === undefined ? {} : { as },
    );
    return { status: response.status, text: await response.text() };
  };
  const remove = async (uuid: string) => {
    const json = { data: [{ type: 'bundles', id: uuid }] };
    const response = await server.fetch('/rest/bundles?force=1', { as: 'root', method: 'DELETE', json });
    expect(response.status, await response.text()).toBe(200);
  };
  const share = async (uuid: string) => {
    const { queries } = server.services.database;
    const { uuid: group } = await queries
      .selectFrom('user_group')
      .select('uuid')
      .where('user_defined', '=', 0)
      .executeTakeFirstOrThrow();
    await queries
      .insertInto('bundle_permission')
      .values({ bundle_uuid: uuid, group_uuid: group, permission: 1 })
      .execute();
  };

  describe('at creation', () => {
    it.each([
      ['run', 'a/../b', '', "child_path must not contain '..'"],
      ['run', '/../b', '', "child_path must not contain '..'"],
      ['make', '../b', '', "child_path must not contain '..'"],
      ['run', 'a\0b', '', 'child_path must match'],
      ['run', 'a b', '', 'child_path must match'],
      ['run', '', '', 'child_path empty'],
      ['run', '/', '', 'child_path must name a place below /'],
      ['make', '/a', '', 'must not be absolute'],
      ['run', 'a', '../b', "parent_path must not contain '..'"],
      ['make', 'a', 'b/../../c', "parent_path must not contain '..'"],
      ['run', 'a', 'b\0c', 'parent_path must not contain a NUL'],
      ['dataset', 'a', '', 'A dataset has no dependencies'],
    ])('a %s refuses the key %j with the path %j', async (type, child_path, parent_path, problem) => {
      const answer = await post(type, [{ child_path, parent_uuid: file, parent_path }]);
      expect(answer.status).toBe(400);
      expect(answer.text).toContain(problem);
    });

    it('keys that stand in each other’s way, and parents that are no uuids, are refused', async () => {
      const of = (...keys: string[]) =>
        keys.map((child_path) => ({ child_path, parent_uuid: file, parent_path: '' }));
      for (const [dependencies, problem] of [
        [of('a', 'b', 'a'), 'Duplicate key: a'],
        [of('a/b', 'a'), 'Key a is an ancestor of key a/b'],
        [of('/a', '/a/b'), 'Key /a is an ancestor of key /a/b'],
        [[{ child_path: 'a', parent_uuid: '0x12', parent_path: '' }], 'Invalid parent_uuid: 0x12'],
      ] as const) {
        const answer = await post('run', dependencies);
        expect(answer.status).toBe(400);
        expect(answer.text).toContain(problem);
      }
      expect((await post('run', [{ child_path: 'a' }])).status).toBe(400);
      expect((await post('run', 'a:b')).status).toBe(400);
    });

    it('any number of them may be named, one parent under many keys', async () => {
      const many = Array.from({ length: 12_000 }, (_unused, at) => ({
        child_path: `part-${at % 100}/file-${at}`,
        parent_uuid: at % 2 === 0 ? file : tree,
        parent_path: at % 2 === 0 ? '' : 'a/b/c',
      }));
      const answer = await post('run', many);
      expect(answer.status, answer.text.slice(0, 200)).toBe(200);
      const { data } = JSON.parse(answer.text) as {
        data: [{ id: string; attributes: { dependencies: unknown[] } }];
      };
      expect(data[0].attributes.dependencies).toHaveLength(many.length);
      await untilState(server, data[0].id, ['staged']);
      expect(await get('root', 'blob', data[0].id, 'part-99/file-11999')).toEqual({
        status: 200,
        text: 'one',
      });
    });
  });

  describe('before a worker is asked', () => {
    it('a run fails over what its final parents have not, and says what that is', async () => {
      const of = (path: string) => ({
        child_path: `in-${path.replaceAll('/', '-')}`,
        parent_uuid: tree,
        parent_path: path,
      });
      const run = await createBundle(server, {
        metadata: waits,
        dependencies: [of('a/b'), of('a/x'), of('e/f'), of('g'), of('h'), of('i')],
      });
      const { metadata } = await untilState(server, run, ['failed']);
      expect(metadata['failure_message']).toBe(
        ['a/x', 'e/f', 'g']
          .map(
            (path) =>
              `Invalid dependency in-${path.replaceAll('/', '-')}: there is nothing at ${path} in make-of-test(${tree}).`,
          )
          .join(' ') + ' 2 more are not there either.',
      );
      const good = await createBundle(server, {
        metadata: waits,
        dependencies: [of('a/b/'), of('a/b/c'), of('e')],
      });
      await untilState(server, good, ['staged']);
    });

    it('waiting for a parent says so; the path is looked for when the parent is final', async () => {
      const parent = await createBundle(server, { type: 'dataset', query: 'wait_for_upload=1' });
      const dependencies = [{ child_path: 'in', parent_uuid: parent, parent_path: 'here' }];
      const run = await createBundle(server, { metadata: waits, dependencies });
      const made = await createBundle(server, { type: 'make', dependencies });
      expect(await viewBundle(server, run)).toMatchObject({
        state: 'created',
        details: expect.stringMatching(/^Waiting for dataset-of-test/) as string,
      });
      expect((await putContents(server, parent, 'text', { query: 'filename=here&unpack=0' })).status).toBe(
        200,
      );
      expect((await untilState(server, run, ['failed'])).metadata['failure_message']).toContain(
        'there is nothing at here',
      );
      expect((await untilState(server, made, ['failed'])).metadata['failure_message']).toMatch(
        new RegExp(`^Invalid dependency ${parent}/here`),
      );
    });

    it('parents that are deleted meanwhile fail what waits for them, staged or not', async () => {
      const early = await createBundle(server, { type: 'dataset', query: 'wait_for_upload=1' });
      const late = await uploadFile(server, 'late');
      const created = await createBundle(server, {
        metadata: waits,
        dependencies: [{ child_path: 'a', parent_uuid: early }],
      });
      const staged = await createBundle(server, {
        metadata: waits,
        dependencies: [
          { child_path: 'a', parent_uuid: late },
          { child_path: 'b', parent_uuid: file },
        ],
      });
      await untilState(server, staged, ['staged']);
      await remove(early);
      await remove(late);
      for (const [run, parent] of [
        [created, early],
        [staged, late],
      ] as const) {
        expect((await untilState(server, run, ['failed'])).metadata['failure_message']).toBe(
          `Missing parent bundles: ${parent}`,
        );
      }
      expect(server.execution.counters.foundByTick).toBe(0);
    });

    it('failed and killed parents are named, unless they are allowed and have contents', async () => {
      const bad = async (state: 'failed' | 'killed', contents: boolean) => {
        const uuid = await createBundle(server, {
          type: 'dataset',
          metadata: { name: state },
          query: 'wait_for_upload=1',
        });
        const query = `filename=x&unpack=0&state_on_success=${state}`;
        if (contents) expect((await putContents(server, uuid, 'left', { query })).status).toBe(200);
        else {
          await server.services.database.queries
            .updateTable('bundle')
            .set({ state })
            .where('uuid', '=', uuid)
            .execute();
        }
        return uuid;
      };
      const failed = await bad('failed', true);
      const killed = await bad('killed', false);
      const dependencies = [
        { child_path: 'a', parent_uuid: failed },
        { child_path: 'b', parent_uuid: killed },
        { child_path: 'c', parent_uuid: failed },
      ];
      const advice =
        '(Please use the --allow-failed-dependencies flag to depend on results of failed or killed bundles)';
      for (const [type, which, message] of [
        [
          'run',
          dependencies,
          `Parent bundles failed: failed(${failed}) Parent bundles were killed: killed(${killed}) ${advice}`,
        ],
        ['make', dependencies.slice(1, 2), `Parent bundles were killed: killed(${killed}) ${advice}`],
      ] as const) {
        const uuid = await createBundle(server, {
          type,
          metadata: type === 'run' ? waits : {},
          dependencies: [...which],
        });
        expect(String((await untilState(server, uuid, ['failed'])).metadata['failure_message']).trim()).toBe(
          message,
        );
      }
      const metadata = { ...waits, allow_failed_dependencies: true };
      const lenient = await createBundle(server, { metadata, dependencies: dependencies.slice(0, 1) });
      await untilState(server, lenient, ['staged']);
      const hollow = await createBundle(server, { metadata, dependencies });
      expect((await untilState(server, hollow, ['failed'])).metadata['failure_message']).toBe(
        `Invalid dependency b: killed(${killed}) is killed and has no contents.`,
      );
    });
  });

  describe('read through a run', () => {
    it('the longest key wins, `.` spreads, and absolute keys are no part of the bundle', async () => {
      const run = await createBundle(server, {
        metadata: waits,
        dependencies: [
          { child_path: '.', parent_uuid: tree },
          { child_path: 'a2/deep', parent_uuid: tree, parent_path: 'a' },
          { child_path: 'a2/deeper', parent_uuid: file },
          { child_path: '/abs', parent_uuid: file },
        ],
      });
      await untilState(server, run, ['staged']);
      for (const path of ['e', 'a/d', 'a2/deep/b/c', 'a2/deep/d', 'a2/deeper', './a2//deeper'])
        expect(await get('root', 'blob', run, path), path).toEqual({ status: 200, text: 'one' });
      for (const path of ['a2', 'a2/deepest', 'a2/deep/e', 'abs', 'a2/deeper/x', ''])
        expect((await get('root', 'info', run, path)).status, path).toBe(404);
      expect((await get('root', 'info', run, 'a2/deep%2F..%2F..%2F..%2Fetc')).status).toBe(404);
    });

    it('nobody sees by any question what they may not read', async () => {
      const secret = await uploadFile(server, 'secret');
      const inner = await createBundle(server, {
        metadata: waits,
        dependencies: [{ child_path: 'data', parent_uuid: secret }],
      });
      const outer = await createBundle(server, {
        metadata: waits,
        dependencies: [{ child_path: 'in', parent_uuid: inner }],
      });
      await share(outer);
      for (const as of ['eve', undefined]) {
        for (const kind of ['info', 'blob', 'entry']) {
          const answer = await get(as, kind, outer, 'in/data');
          expect(answer.status, `${kind} ${as}`).toBe(403);
          expect(answer.text).not.toContain('"size"');
        }
      }
      await share(inner);
      for (const kind of ['info', 'blob', 'entry'])
        expect((await get('eve', kind, outer, 'in/data')).status, kind).toBe(403);
      await share(secret);
      for (const kind of ['info', 'blob', 'entry'])
        expect((await get('eve', kind, outer, 'in/data')).status, kind).toBe(200);
    });

    it('while it runs, only what the worker has not is looked for in dependencies', async () => {
      const worker = scriptedWorker(server, { id: 'reads', tag: 'reads' });
      const run = await createBundle(server, {
        metadata: { request_queue: 'reads' },
        dependencies: [{ child_path: 'sub/in', parent_uuid: file }],
      });
      const { epoch } = await worker.next('run');
      const attempt = epoch === undefined ? {} : { epoch };
      await worker.start(run, epoch);
      const runs = [reportOf(run, 'running', attempt)];
      await worker.report(runs);
      const asked = async (path: string, reply: unknown) => {
        const answer = get('root', 'info', run, path);
        await answerRead(worker, runs, path, reply);
        return await answer;
      };
      const missing = { error_code: 404, error_message: 'Path not found' };
      expect((await asked('sub/in', missing)).text).toContain(`"resolved_target":{"bundle_uuid":"${file}"`);
      expect((await asked('sub', missing)).status).toBe(404);
      expect((await asked('sub/in', { error_code: 500, error_message: 'disk on fire' })).status).toBe(404);
      const own = { target_info: { name: 'in', type: 'file', size: 5, perm: 420 } };
      expect(JSON.parse((await asked('sub/in', own)).text)).toMatchObject({
        data: { size: 5, resolved_target: { bundle_uuid: run } },
      });
    });

    async function answerRead(
      worker: ScriptedWorker,
      runs: RunReportInput[],
      path: string,
      reply: unknown,
    ): Promise<void> {
      const message = await worker.next('read', { runs });
      expect(message.path).toBe(path);
      const answer = await worker.reply(message.socket_id, reply);
      expect(answer.status, await answer.text()).toBe(200);
    }
  });

  it('have an answer to original clients by command and (key, parent) pairs only', async () => {
    const ids = async (query: string) => {
      const response = await server.fetch(`/rest/bundles?${query}`, { as: 'root' });
      const text = await response.text();
      expect(response.status, text).toBe(200);
      return (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
    };
    const command = 'original client';
    const create = (...keys: [string, string, string?][]) =>
      createBundle(server, {
        command,
        metadata: waits,
        dependencies: keys.map(([child_path, parent_uuid, parent_path = '']) => ({
          child_path,
          parent_uuid,
          parent_path,
        })),
      });
    const plain = await create();
    const first = await create(['a', file], ['b', tree]);
    const second = await create(['b', tree, 'missing'], ['a', file]);
    await untilState(server, second, ['failed']);
    const search = (pairs: [string, string][]) =>
      `command=${encodeURIComponent(command)}&dependencies=${encodeURIComponent(JSON.stringify(pairs.map(([child_path, parent_uuid]) => ({ child_path, parent_uuid }))))}`;
    expect(await ids(`command=${encodeURIComponent(command)}`)).toEqual([plain]);
    expect(await ids(search([]))).toEqual([plain]);
    expect(
      await ids(
        search([
          ['b', tree],
          ['a', file],
        ]),
      ),
    ).toEqual([first, second]);
    expect(await ids(search([['a', file]]))).toEqual([]);
    expect(
      await ids(
        search([
          ['b', tree],
          ['c', file],
        ]),
      ),
    ).toEqual([]);
    expect(await ids('command=None')).toEqual([]);
    const bad = await server.fetch('/rest/bundles?command=x&dependencies=%7B', { as: 'root' });
    expect(bad.status, await bad.text()).toBe(400);
  });
});
