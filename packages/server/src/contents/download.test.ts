import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, putContents, untilState, uploadFile } from '../runs/testing/bundles.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

/** A request whose answer is looked at as it is: no content coding is undone. */
async function raw(
  server: TestServer,
  path: string,
  headers: Record<string, string> = {},
  options: { as?: string; method?: string } = {},
): Promise<{ response: IncomingMessage; body: Buffer }> {
  const sending = requestHttp(`${server.url}${path}`, {
    method: options.method ?? 'GET',
    headers: {
      'x-requested-with': 'XMLHttpRequest',
      authorization: `Bearer ${await server.tokenFor(options.as ?? 'root')}`,
      ...headers,
    },
  });
  sending.end();
  const [response] = (await once(sending, 'response')) as [IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return { response, body: Buffer.concat(pieces) };
}

describe.each(databases)('downloads (%s)', (database) => {
  let server: TestServer;
  let directory: string;
  let tree: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
    directory = mkdtempSync(join(tmpdir(), 'sheaf-download-'));
    const top = join(directory, 'top');
    mkdirSync(join(top, 'logs', '.git'), { recursive: true });
    mkdirSync(join(top, '__MACOSX'));
    writeFileSync(join(top, 'page.html'), '<script>alert(1)</script>');
    writeFileSync(join(top, 'logs', 'a.txt'), '0123456789');
    writeFileSync(join(top, 'logs', '.git', 'config'), 'secret');
    writeFileSync(join(top, '._resource'), 'junk');
    writeFileSync(join(top, 'lines'), Array.from({ length: 100 }, (_, index) => `line ${index}\n`).join(''));
    writeFileSync(join(top, 'it "is".txt'), 'q');
    symlinkSync('logs/a.txt', join(top, 'link'));
    symlinkSync('logs', join(top, 'inside'));
    symlinkSync('/etc', join(top, 'outside'));
    tree = await createBundle(server, {
      type: 'dataset',
      query: 'wait_for_upload=1',
      metadata: { name: 'my-tree' },
    });
    const archive = execFileSync('tar', ['-czf', '-', '-C', top, '.']);
    const response = await putContents(server, tree, archive, { query: 'filename=t.tar.gz' });
    expect(response.status, await response.text()).toBe(200);
  });
  afterAll(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });

  const blob = (path: string, headers?: Record<string, string>, options?: { as?: string; method?: string }) =>
    raw(server, `/rest/bundles/${tree}/contents/blob/${path}`, headers, options);
  const info = async (path: string) => {
    const { response, body } = await raw(server, `/rest/bundles/${tree}/contents/info/${path}`);
    return {
      status: response.statusCode,
      type: response.headers['content-type'],
      json: JSON.parse(body.toString()) as unknown,
    };
  };

  it('describes files, directories and links', async () => {
    expect(await info('logs?depth=1')).toMatchObject({
      status: 200,
      type: 'application/json',
      json: {
        data: {
          name: 'logs',
          type: 'directory',
          contents: [
            { name: '.git', type: 'directory' },
            { name: 'a.txt', type: 'file', size: 10 },
          ],
          resolved_target: { bundle_uuid: tree, subpath: 'logs' },
        },
        meta: { version: '1.7.3' },
      },
    });
    expect(await info('')).toMatchObject({ json: { data: { name: tree, type: 'directory' } } });
    expect(await info('link')).toMatchObject({
      json: { data: { type: 'link', link: 'logs/a.txt', size: 10 } },
    });
    expect(await info('inside/a.txt')).toMatchObject({ json: { data: { type: 'file', size: 10 } } });
    expect(await info('logs/')).toMatchObject({ json: { data: { type: 'directory' } } });
  });

  it.each(['missing', 'logs/missing', 'outside/passwd', 'link/x', '..%2F..%2Fetc%2Fpasswd', 'logs/a.txt/b'])(
    'has nothing under %s',
    async (path) => {
      for (const kind of ['info', 'blob']) {
        const { response } = await raw(server, `/rest/bundles/${tree}/contents/${kind}/${path}`);
        expect(response.statusCode).toBe(404);
      }
    },
  );

  it('refuses a negative depth', async () => {
    const { response } = await raw(server, `/rest/bundles/${tree}/contents/info/?depth=-1`);
    expect(response.statusCode).toBe(400);
  });

  it('sends files, gzipped for those who take that', async () => {
    const plain = await blob('logs/a.txt');
    expect(plain.body.toString()).toBe('0123456789');
    expect(plain.response.headers).toMatchObject({
      'content-type': 'text/plain',
      'content-encoding': 'identity',
      'content-disposition': 'inline; filename="a.txt"',
      'access-control-allow-origin': '*',
      'target-type': 'file',
      'x-codalab-target-size': '10',
      'x-content-type-options': 'nosniff',
      'transfer-encoding': 'chunked',
    });
    const zipped = await blob('logs/a.txt', { 'accept-encoding': 'gzip' });
    expect(zipped.response.headers['content-encoding']).toBe('gzip');
    expect(zipped.body.subarray(4, 8)).toEqual(Buffer.alloc(4));
    expect(gunzipSync(zipped.body).toString()).toBe('0123456789');
  });

  it('keeps pages from acting as the user', async () => {
    const page = await blob('page.html');
    expect(page.response.headers).toMatchObject({
      'content-type': 'text/html',
      'content-security-policy': 'sandbox allow-scripts',
    });
  });

  it('names files safely', async () => {
    const odd = await blob(encodeURIComponent('it "is".txt'));
    expect(odd.response.headers['content-disposition']).toBe(
      `inline; filename="it \\"is\\".txt"; filename*=UTF-8''it%20%22is%22.txt`,
    );
  });

  it('sends directories as archives without what is left out of downloads', async () => {
    const { response, body } = await blob('', { 'accept-encoding': 'gzip' });
    expect(response.headers).toMatchObject({
      'content-type': 'application/gzip',
      'content-encoding': 'identity',
      'content-disposition': 'attachment; filename="my-tree.tar.gz"',
      'target-type': 'directory',
    });
    expect(Number(response.headers['x-codalab-target-size'])).toBeGreaterThan(0);
    const out = mkdtempSync(join(directory, 'out-'));
    execFileSync('tar', ['-xzf', '-', '-C', out], { input: body });
    expect(readdirSync(out).toSorted()).toEqual([
      'inside',
      'it "is".txt',
      'lines',
      'link',
      'logs',
      'outside',
      'page.html',
    ]);
    expect(readdirSync(join(out, 'logs'))).toEqual(['a.txt']);
    expect(readlinkSync(join(out, 'link'))).toBe('logs/a.txt');
    const names = execFileSync('tar', ['-tzf', '-'], { input: body, encoding: 'utf8' }).split('\n');
    expect(names).toEqual(expect.arrayContaining(['./', './logs/', './logs/a.txt']));
    const part = await blob('logs');
    expect(part.response.headers['x-codalab-target-size']).toBe('0');
  });

  it.each([
    ['bytes=2-4', '234'],
    ['bytes=8-100', '89'],
    ['bytes=10-20', ''],
    ['bytes=0-0', '0'],
  ])('sends the part %s with status 200', async (range, expected) => {
    const plain = await blob('logs/a.txt', { range });
    expect(plain.response.statusCode).toBe(200);
    expect(plain.response.headers['content-range']).toBeUndefined();
    expect(plain.response.headers['content-length']).toBe(String(expected.length));
    expect(plain.response.headers['x-codalab-target-size']).toBe('10');
    expect(plain.body.toString()).toBe(expected);
    const zipped = await blob('logs/a.txt', { range, 'accept-encoding': 'gzip' });
    expect(zipped.response.headers['content-length']).toBe(String(zipped.body.length));
    expect(gunzipSync(zipped.body).toString()).toBe(expected);
  });

  it('summarises text', async () => {
    const { body, response } = await blob(
      `lines?head=2&tail=1&truncation_text=${encodeURIComponent('...\n')}`,
    );
    expect(body.toString()).toBe('line 0\nline 1\n...\nline 99\n');
    expect(response.headers['content-length']).toBe(String(body.length));
  });

  it('refuses what makes no sense', async () => {
    expect((await blob('link')).response.statusCode).toBe(403);
    expect((await blob('logs', { range: 'bytes=0-1' })).response.statusCode).toBe(400);
    expect((await blob('logs?head=1')).response.statusCode).toBe(400);
    expect((await blob('logs/a.txt?head=1', { range: 'bytes=0-1' })).response.statusCode).toBe(400);
    expect((await blob('', {}, { as: 'mallory' })).response.statusCode).toBe(403);
  });

  it('answers HEAD without reading', async () => {
    const { response, body } = await blob('logs/a.txt', {}, { method: 'HEAD' });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-codalab-target-size']).toBe('10');
    expect(body.length).toBe(0);
  });

  it('breaks the connection when the bytes cannot be read to their end', async () => {
    const uuid = await uploadFile(server, 'z'.repeat(3_000_000), { filename: 'long' });
    const entry = await server.fetch(`/rest/bundles/${uuid}/contents/entry/`, { as: 'root' });
    const { digest } = ((await entry.json()) as { data: { entry: { digest: string } } }).data.entry;
    const file = server.services.store.localPath(digest);
    execFileSync('chmod', ['u+w', file]);
    truncateSync(file, 1_000_000);
    const archived = await createBundle(server, {
      type: 'make',
      dependencies: [
        { child_path: 'a', parent_uuid: uuid },
        { child_path: 'b', parent_uuid: uuid },
      ],
    });
    await untilState(server, archived, ['ready']);
    await expect(raw(server, `/rest/bundles/${archived}/contents/blob/`)).rejects.toThrow();
    expect(readFileSync(file).length).toBe(1_000_000);
  });

  it('reads through the dependencies of a run, whoever holds the data', async () => {
    const run = await createBundle(server, {
      as: 'alice',
      metadata: { request_queue: 'nobody' },
      dependencies: [
        { child_path: 'deep/data', parent_uuid: await shared(), parent_path: 'logs' },
        { child_path: 'deep', parent_uuid: await shared(), parent_path: '' },
      ].slice(0, 1),
    });
    const target = await server.fetch(`/rest/bundles/${run}/contents/info/deep/data/a.txt`, { as: 'alice' });
    expect(((await target.json()) as { data: object }).data).toMatchObject({
      size: 10,
      resolved_target: { bundle_uuid: tree, subpath: 'logs/a.txt' },
    });
    const text = await server.fetch(`/rest/bundles/${run}/contents/blob/deep/data/a.txt`, { as: 'alice' });
    expect(await text.text()).toBe('0123456789');
    for (const [path, status] of [
      ['deep/database', 404],
      ['deep/data/missing', 404],
      ['', 404],
    ] as const) {
      const response = await server.fetch(`/rest/bundles/${run}/contents/info/${path}`, { as: 'alice' });
      expect(response.status, await response.text()).toBe(status);
    }
  });

  it('does not read through a dependency what the viewer may not read', async () => {
    const secret = await uploadFile(server, 'secret', { as: 'alice' });
    const run = await createBundle(server, {
      as: 'alice',
      metadata: { request_queue: 'nobody' },
      dependencies: [{ child_path: 'data', parent_uuid: secret }],
    });
    await grantPublicRead(run);
    for (const kind of ['info', 'blob']) {
      const response = await server.fetch(`/rest/bundles/${run}/contents/${kind}/data`, { as: 'eve' });
      expect(response.status).toBe(403);
      expect(await response.text()).toContain('does not have sufficient permissions');
    }
  });

  it('ends at dependencies that lead in a circle', async () => {
    const { queries } = server.services.database;
    const first = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    const second = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, second, ['staged']);
    for (const [child, parent] of [
      [first, second],
      [second, first],
    ] as const) {
      await queries
        .insertInto('dependency')
        .values({ child_uuid: child, child_path: 'a', parent_uuid: parent, parent_path: 'a' })
        .execute();
    }
    const response = await server.fetch(`/rest/bundles/${first}/contents/info/a`, { as: 'root' });
    expect(response.status).toBe(404);
    await response.text();
  });

  async function shared(): Promise<string> {
    await grantPublicRead(tree);
    return tree;
  }

  async function grantPublicRead(uuid: string): Promise<void> {
    const { queries } = server.services.database;
    const group = await queries
      .selectFrom('user_group')
      .select('uuid')
      .where('user_defined', '=', 0)
      .executeTakeFirstOrThrow();
    await queries
      .insertInto('bundle_permission')
      .values({ bundle_uuid: uuid, group_uuid: group.uuid, permission: 1 })
      .onConflict((conflict) => conflict.columns(['bundle_uuid', 'group_uuid']).doNothing())
      .execute();
  }
});
