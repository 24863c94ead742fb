import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundle, untilState } from '../runs/testing/bundles.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';

describe.each(databases)('linked bundles (%s)', (database) => {
  let server: TestServer;
  let place: string;
  beforeAll(async () => {
    place = realpathSync(mkdtempSync(join(tmpdir(), 'sheaf-linked-')));
    mkdirSync(join(place, 'open', 'data', '.git'), { recursive: true });
    writeFileSync(join(place, 'open', 'data', 'a.txt'), 'linked\n');
    writeFileSync(join(place, 'closed'), 'secret');
    symlinkSync('../..', join(place, 'open', 'data', 'up'));
    symlinkSync(join(place, 'closed'), join(place, 'open', 'way-out'));
    server = await startTestServer({ database, settings: { linkRoots: [join(place, 'open')] } });
  });
  afterAll(async () => {
    await server.close();
    rmSync(place, { recursive: true });
  });

  const link = (path: string) =>
    createBundle(server, { type: 'dataset', metadata: { link_url: path, link_format: 'raw' } });
  const get = async (uuid: string, kind: string, path = '', headers: Record<string, string> = {}) => {
    const response = await server.fetch(`/rest/bundles/${uuid}/contents/${kind}/${path}`, {
      as: 'root',
      headers,
    });
    return {
      status: response.status,
      bytes: Buffer.from(await response.arrayBuffer()),
      headers: response.headers,
    };
  };

  it('are ready at once and read in place', async () => {
    const uuid = await link(join(place, 'open', 'data'));
    expect((await untilState(server, uuid, ['ready'])).metadata['data_size'] ?? 0).toBe(0);
    const info = JSON.parse((await get(uuid, 'info', '?depth=1')).bytes.toString()) as { data: object };
    expect(info.data).toMatchObject({ name: 'data', type: 'directory' });
    expect((await get(uuid, 'blob', 'a.txt')).bytes.toString()).toBe('linked\n');
    expect((await get(uuid, 'blob', 'a.txt', { range: 'bytes=1-3' })).bytes.toString()).toBe('ink');
    expect((await get(uuid, 'blob', 'a.txt?head=1')).bytes.toString()).toBe('linked\n');
    const archive = await get(uuid, 'blob');
    const names = execFileSync('tar', ['-tzf', '-'], { input: archive.bytes, encoding: 'utf8' });
    expect(
      names
        .split('\n')
        .filter((name) => name !== '')
        .toSorted(),
    ).toEqual(['./', './a.txt', './up']);
    writeFileSync(join(place, 'open', 'data', 'a.txt'), 'changed\n');
    expect((await get(uuid, 'blob', 'a.txt')).bytes.toString()).toBe('changed\n');
    writeFileSync(join(place, 'open', 'data', 'a.txt'), 'linked\n');
  });

  it('do not exist outside the link roots', async () => {
    for (const path of [
      join(place, 'closed'),
      '/etc',
      `${join(place, 'open')}/../closed`,
      join(place, 'open', 'way-out'),
      join(place, 'open', 'missing'),
      `${join(place, 'open')}x`,
    ]) {
      const uuid = await link(path);
      await untilState(server, uuid, ['ready']);
      expect((await get(uuid, 'info')).status, path).toBe(404);
      expect((await get(uuid, 'blob')).status, path).toBe(404);
    }
    const uuid = await link(join(place, 'open', 'data'));
    expect((await get(uuid, 'blob', 'up/closed')).status).toBe(404);
    expect((await get(uuid, 'blob', '..%2F..%2Fclosed')).status).toBe(404);
  });

  it('are handed out by digest as they are now, for workers', async () => {
    const uuid = await link(join(place, 'open', 'data'));
    const early = await server.fetch(`/rest/bundles/${uuid}/transfer/fetch`, {
      as: 'root',
      method: 'POST',
      json: { digests: ['0'.repeat(64)] },
    });
    expect(early.status, await early.text()).toBe(404);
    const answer = await get(uuid, 'entry', 'a.txt');
    const { entry } = (JSON.parse(answer.bytes.toString()) as { data: { entry: { digest: string } } }).data;
    expect(entry).toMatchObject({ kind: 'file', size: 7 });
    const whole = await get(uuid, 'entry');
    expect(JSON.parse(whole.bytes.toString())).toMatchObject({ data: { entry: { kind: 'tree' } } });
    const blob = await server.fetch(`/rest/bundles/${uuid}/transfer/blobs/${entry.digest}`, { as: 'root' });
    expect(await blob.text()).toBe('linked\n');
    const other = await server.fetch(`/rest/bundles/${uuid}/transfer/blobs/${'0'.repeat(64)}`, {
      as: 'root',
    });
    expect(other.status, await other.text()).toBe(404);
    expect((await get(uuid, 'entry', 'up')).bytes.toString()).toContain('"kind":"link"');
  });

  it('can be parts of what is made', async () => {
    const uuid = await link(join(place, 'open', 'data'));
    const made = await createBundle(server, {
      type: 'make',
      dependencies: [{ child_path: 'copy.txt', parent_uuid: uuid, parent_path: 'a.txt' }],
    });
    expect((await untilState(server, made, ['ready'])).metadata['data_size']).toBe(7);
    expect((await get(made, 'blob', 'copy.txt')).bytes.toString()).toBe('linked\n');
    for (const path of ['up', '../closed', 'a.txt/x', 'up/closed']) {
      const refused = await createBundle(server, {
        type: 'make',
        dependencies: [{ child_path: 'x', parent_uuid: uuid, parent_path: path }],
      }).catch((error: unknown) => String(error));
      if (!refused.startsWith('0x')) expect(refused).toContain("must not contain '..'");
      else
        expect((await untilState(server, refused, ['failed'])).metadata['failure_message'], path).toMatch(
          /^Invalid dependency 0x/,
        );
    }
    const outside = await link(join(place, 'closed'));
    const stolen = await createBundle(server, {
      type: 'make',
      dependencies: [{ child_path: 'x', parent_uuid: outside }],
    });
    expect((await untilState(server, stolen, ['failed'])).metadata['failure_message']).toMatch(
      /^Invalid dependency 0x/,
    );
  });
});
