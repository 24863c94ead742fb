import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import {
  createServer,
  request as requestHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createBundle,
  diskUsed,
  putContents,
  until,
  untilState,
  uploadFile,
  viewBundle,
} from '../runs/testing/bundles.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

describe.each(databases)('uploads (%s)', (database) => {
  let server: TestServer;
  let directory: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
    directory = mkdtempSync(join(tmpdir(), 'sheaf-upload-'));
    mkdirSync(join(directory, 'top', 'sub'), { recursive: true });
    writeFileSync(join(directory, 'top', 'a.txt'), 'aaa');
    writeFileSync(join(directory, 'top', 'sub', 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    symlinkSync('/nowhere', join(directory, 'top', 'dangling'));
  });
  afterAll(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });

  const newDataset = (as = 'root') =>
    createBundle(server, { as, type: 'dataset', query: 'wait_for_upload=1' });
  const packed = (...words: string[]) => execFileSync('tar', [...words, '-C', join(directory, 'top'), '.']);
  const listing = async (uuid: string) => {
    const response = await server.fetch(`/rest/bundles/${uuid}/contents/info/?depth=5`, { as: 'root' });
    return ((await response.json()) as { data: object }).data;
  };
  const whole = {
    type: 'directory',
    contents: expect.arrayContaining([
      expect.objectContaining({ name: 'a.txt', type: 'file', size: 3, perm: 0o644 }),
      expect.objectContaining({ name: 'dangling', type: 'link', link: '/nowhere' }),
      expect.objectContaining({
        name: 'sub',
        contents: [expect.objectContaining({ name: 'run.sh', perm: 0o755 })],
      }),
    ]) as unknown,
  };

  it.each([
    ['data.tar.gz', ['-czf', '-']],
    ['data.tgz', ['-czf', '-']],
    ['data.tar.bz2', ['-cjf', '-']],
  ])('unpacks %s as it streams', async (filename, words) => {
    const uuid = await newDataset();
    const response = await putContents(server, uuid, packed(...words), { query: `filename=${filename}` });
    expect(response.status, await response.text()).toBe(200);
    expect(response.headers.get('content-length')).toBe('0');
    expect(await viewBundle(server, uuid)).toMatchObject({ state: 'ready', metadata: { data_size: 13 } });
    expect(await listing(uuid)).toMatchObject(whole);
  });

  it('keeps what is no archive, or is not to be unpacked', async () => {
    const archive = packed('-czf', '-');
    const uuid = await uploadFile(server, archive, { filename: 'data.tar.gz', unpack: 0 });
    const back = await server.fetch(`/rest/bundles/${uuid}/contents/blob/`, { as: 'root' });
    expect(Buffer.from(await back.arrayBuffer()).equals(archive)).toBe(true);
    const tar = await uploadFile(server, 'not looked into', { filename: 'data.tar', unpack: 1 });
    expect(await listing(tar)).toMatchObject({ type: 'file', size: 15 });
    const text = await uploadFile(server, gzipSync('text'), { filename: 'text.gz', unpack: 1 });
    expect(await listing(text)).toMatchObject({ type: 'file', size: 4 });
  });

  it('takes an empty body, and a body that looks like JSON or a form', async () => {
    expect(await listing(await uploadFile(server, '', { filename: 'empty' }))).toMatchObject({ size: 0 });
    for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
      const uuid = await newDataset();
      const response = await putContents(server, uuid, '{"not": json', {
        query: 'filename=odd&unpack=0',
        headers: { 'content-type': type },
      });
      expect(response.status, await response.text()).toBe(200);
      expect(await listing(uuid)).toMatchObject({ size: 12 });
    }
  });

  it('only sets the state where nothing is sent', async () => {
    const uuid = await newDataset();
    const response = await putContents(server, uuid, '', {
      query: 'state_on_success=failed&finalize_on_success=1',
    });
    expect(response.status, await response.text()).toBe(200);
    expect((await viewBundle(server, uuid)).state).toBe('failed');
  });

  it('fails the bundle over a damaged archive, and takes everything back', async () => {
    const before = await diskUsed(server, 'dora');
    const uuid = await newDataset('dora');
    const broken = packed('-czf', '-').subarray(0, 100);
    const response = await putContents(server, uuid, broken, { as: 'dora', query: 'filename=x.tar.gz' });
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(text).toMatch(/^Upload failed: Invalid archive upload: /);
    expect(await viewBundle(server, uuid, 'dora')).toMatchObject({
      state: 'failed',
      metadata: { failure_message: text, data_size: 0 },
    });
    expect(await diskUsed(server, 'dora')).toBe(before);
    const info = await server.fetch(`/rest/bundles/${uuid}/contents/info/`, { as: 'dora' });
    expect(info.status).toBe(404);
    await info.text();
  });

  it('counts each byte once against the quota', async () => {
    await server.tokenFor('quentin');
    await server.services.database.queries
      .updateTable('user')
      .set({ disk_quota: 1000 })
      .where('name', '=', 'quentin')
      .execute();
    await uploadFile(server, 'x'.repeat(600), { as: 'quentin' });
    await uploadFile(server, 'x'.repeat(400), { as: 'quentin' });
    expect(await diskUsed(server, 'quentin')).toBe(1000);
    await server.services.database.queries
      .updateTable('user')
      .set({ disk_quota: 1100 })
      .where('name', '=', 'quentin')
      .execute();
    const uuid = await uploadFile(server, 'x'.repeat(101), { as: 'quentin', expectStatus: 400 });
    expect(await viewBundle(server, uuid, 'quentin')).toMatchObject({
      state: 'failed',
      metadata: { failure_message: expect.stringContaining('disk quota exceeded') as unknown },
    });
    expect(await diskUsed(server, 'quentin')).toBe(1000);
    await uploadFile(server, 'x'.repeat(100), { as: 'quentin' });
  });

  it('stops a bomb at the quota while it unpacks', async () => {
    await server.tokenFor('bob');
    await server.services.database.queries
      .updateTable('user')
      .set({ disk_quota: 10_000 })
      .where('name', '=', 'bob')
      .execute();
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    await uploadFile(server, bomb, { as: 'bob', filename: 'bomb.gz', unpack: 1, expectStatus: 400 });
    expect(await diskUsed(server, 'bob')).toBe(0);
  });

  it('refuses with the body read to its end', async () => {
    const uuid = await uploadFile(server, 'final');
    const body = 'y'.repeat(2_000_000);
    const final = await putContents(server, uuid, body, { query: 'filename=a' });
    expect(final.status).toBe(403);
    expect(await final.text()).toBe('Contents cannot be modified, bundle already finalized.');
    const other = await newDataset();
    const denied = await putContents(server, other, body, { as: 'mallory', query: 'filename=a' });
    expect(denied.status).toBe(403);
    expect(await denied.text()).toContain('does not have sufficient permissions');
    const missing = await putContents(server, `0x${'00'.repeat(16)}`, body, { query: 'filename=a' });
    expect(missing.status).toBe(404);
    await missing.text();
    for (const query of ['filename=a&state_on_success=odd', 'filename=a&store=none', 'filename=a&unpack=x']) {
      const bad = await putContents(server, other, body, { query });
      expect(bad.status, await bad.text()).toBe(400);
    }
    const anonymous = await server.fetch(`/rest/bundles/${other}/contents/blob/?filename=a`, {
      method: 'PUT',
      body,
    });
    expect(anonymous.status).toBe(401);
    await anonymous.text();
    expect((await viewBundle(server, other)).state).toBe('uploading');
  });

  it('leaves nothing visible of an upload that breaks off', async () => {
    const uuid = await newDataset('carl');
    const before = await diskUsed(server, 'carl');
    const sending = requestHttp(
      `${server.url}/rest/bundles/${uuid}/contents/blob/?filename=a.tar.gz&finalize_on_failure=1`,
      {
        method: 'PUT',
        headers: { authorization: `Bearer ${await server.tokenFor('carl')}`, 'transfer-encoding': 'chunked' },
      },
    );
    sending.on('error', () => undefined);
    sending.write(packed('-czf', '-').subarray(0, 150));
    await new Promise((resolve) => setTimeout(resolve, 50));
    sending.destroy();
    expect(await untilState(server, uuid, ['failed'], 'carl')).toMatchObject({ metadata: { data_size: 0 } });
    expect(await diskUsed(server, 'carl')).toBe(before);
    const info = await server.fetch(`/rest/bundles/${uuid}/contents/info/`, { as: 'carl' });
    expect(info.status).toBe(404);
    await info.text();
    const left = await until(
      async () => (findTemporary(join(server.home, 'contents')).length === 0 ? [] : undefined),
      'the temporary files are gone',
    );
    expect(left).toEqual([]);
  });

  it('streams: 300 MB need little memory', async () => {
    const uuid = await newDataset();
    const piece = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < piece.length; at += 4) piece.writeUInt32LE((at * 2654435761) >>> 0, at);
    const before = process.memoryUsage().rss;
    let most = 0;
    const body = Readable.from(
      (function* () {
        for (let index = 0; index < 300; index += 1) {
          piece.writeUInt32LE(index, 0);
          most = Math.max(most, process.memoryUsage().rss);
          yield Buffer.from(piece);
        }
      })(),
    );
    const response = await send(
      server,
      'PUT',
      `/rest/bundles/${uuid}/contents/blob/?filename=big&unpack=0`,
      body,
    );
    expect(response.statusCode).toBe(200);
    response.resume();
    expect((await viewBundle(server, uuid)).metadata['data_size']).toBe(300 * 1024 * 1024);
    // Both sides of the transfer are in this process.
    expect(most - before).toBeLessThan(150 * 1024 * 1024);
  });

  it('tells results of a run without assignment, and of an older attempt, apart', async () => {
    const uuid = await createBundle(server, { metadata: { request_queue: 'nobody' } });
    await untilState(server, uuid, ['staged']);
    const none = await putContents(server, uuid, 'x', { query: 'filename=a&finalize_on_success=0' });
    expect(none.status, await none.text()).toBe(403);
    const stale = await putContents(server, uuid, 'x', {
      query: 'filename=a&finalize_on_success=0',
      headers: { 'x-sheaf-epoch': '7' },
    });
    expect(stale.status, await stale.text()).toBe(409);
  });
});

function findTemporary(contents: string): string[] {
  const place = join(contents, 'temporary');
  const candidates = existsSync(place) ? readdirSync(place, { recursive: true, withFileTypes: true }) : [];
  return candidates.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

async function send(
  server: TestServer,
  method: string,
  path: string,
  body: Readable,
): Promise<IncomingMessage> {
  const sending = requestHttp(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${await server.tokenFor('root')}`,
      'x-requested-with': 'XMLHttpRequest',
      'transfer-encoding': 'chunked',
    },
  });
  body.pipe(sending);
  const [response] = (await once(sending, 'response')) as [IncomingMessage];
  return response;
}

describe('uploads by URL', () => {
  let server: TestServer;
  let site: Server;
  let base: string;
  let repository: string;
  beforeAll(async () => {
    server = await startTestServer({ database: 'sqlite', settings: { fetchPrivateAddresses: true } });
    repository = mkdtempSync(join(tmpdir(), 'sheaf-repository-'));
    const git = (...words: string[]) =>
      execFileSync('git', [
        '-C',
        repository,
        '-c',
        'user.name=t',
        '-c',
        'user.email=t@example.org',
        ...words,
      ]);
    git('init', '--quiet', '--initial-branch=main');
    writeFileSync(join(repository, 'README'), 'cloned\n');
    git('add', '.');
    git('commit', '--quiet', '-m', 'first');
    site = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://site');
      if (url.pathname === '/file.txt') response.end('fetched');
      else if (url.pathname === '/moved') response.writeHead(302, { location: '/file.txt' }).end();
      else if (url.pathname === '/loop') response.writeHead(302, { location: '/loop' }).end();
      else if (url.pathname === '/inside')
        response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
      else if (url.pathname.startsWith('/repository/')) serveGit(repository, request, response, url);
      else response.writeHead(404).end('no such page');
    });
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    base = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await server.close();
    site.close();
    rmSync(repository, { recursive: true });
  });

  const fetchInto = async (query: string) => {
    const uuid = await createBundle(server, { type: 'dataset' });
    const put = () => putContents(server, uuid, '', { query: `${query}&finalize_on_failure=1` });
    return { uuid, put };
  };
  const read = async (uuid: string, path = '') =>
    await (await server.fetch(`/rest/bundles/${uuid}/contents/blob/${path}`, { as: 'root' })).text();

  it('fetches a file, following redirects', async () => {
    for (const page of ['file.txt?x=1', 'moved']) {
      const { uuid, put } = await fetchInto(`urls=${encodeURIComponent(`${base}/${page}`)}`);
      const response = await put();
      expect(response.status, await response.text()).toBe(200);
      expect(await read(uuid)).toBe('fetched');
    }
  });

  it('answers the repetition of a failed one with the first reason', async () => {
    const { uuid, put } = await fetchInto(`urls=${encodeURIComponent(`${base}/missing`)}`);
    const first = await put();
    expect(first.status).toBe(400);
    const reason = await first.text();
    expect(reason).toContain('404');
    const second = await put();
    expect(second.status).toBe(400);
    expect(await second.text()).toBe(reason);
    expect(await viewBundle(server, uuid)).toMatchObject({
      state: 'failed',
      metadata: { failure_message: reason },
    });
  });

  it.each(['nonsense', 'ftp://example.org/a', 'file:///etc/passwd', '%BASE%/loop'])(
    'refuses %s',
    async (url) => {
      const { put } = await fetchInto(`urls=${encodeURIComponent(url.replace('%BASE%', base))}`);
      const response = await put();
      expect(response.status, await response.text()).toBe(400);
    },
  );

  it('refuses more than one URL before anything is touched', async () => {
    const { uuid, put } = await fetchInto(`urls=${base}/file.txt&urls=${base}/file.txt`);
    const response = await put();
    expect(response.status, await response.text()).toBe(400);
    expect((await viewBundle(server, uuid)).state).toBe('uploading');
  });

  it('clones a repository', async () => {
    const { uuid, put } = await fetchInto(`git=1&urls=${encodeURIComponent(`${base}/repository/.git`)}`);
    const response = await put();
    expect(response.status, await response.text()).toBe(200);
    expect(await read(uuid, 'README')).toBe('cloned\n');
  });

  it('says what git says', async () => {
    const { put } = await fetchInto(`git=1&urls=${encodeURIComponent(`${base}/no-repository`)}`);
    const response = await put();
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('git could not clone');
  });

  it('does not reach into the network of the server', async () => {
    const guarded = await startTestServer({ database: 'sqlite' });
    try {
      const port = new URL(base).port;
      for (const url of [
        `${base}/file.txt`,
        `http://localhost:${port}/file.txt`,
        `http://[::1]:${port}/`,
        `http://[::ffff:127.0.0.1]:${port}/`,
        `http://0x7f.1:${port}/file.txt`,
      ]) {
        for (const git of [0, 1]) {
          const uuid = await createBundle(guarded, { type: 'dataset' });
          const response = await putContents(guarded, uuid, '', {
            query: `git=${git}&urls=${encodeURIComponent(url)}`,
          });
          expect(response.status, url).toBe(400);
          expect(await response.text()).toContain('public address');
        }
      }
    } finally {
      await guarded.close();
    }
  });
});

/** Git's own server program, so that shallow clones work. */
function serveGit(repository: string, request: IncomingMessage, response: ServerResponse, url: URL): void {
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: repository,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname.replace('/repository', ''),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(backend.stdin);
  const pieces: Buffer[] = [];
  backend.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  backend.once('close', () => {
    const bytes = Buffer.concat(pieces);
    const end = bytes.indexOf('\r\n\r\n');
    let status = 200;
    for (const line of bytes.subarray(0, end).toString().split('\r\n')) {
      const [name = '', value = ''] = line.split(': ');
      if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
      else if (name !== '') response.setHeader(name, value);
    }
    response.writeHead(status).end(bytes.subarray(end + 4));
  });
}
