import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressed } from './fixtures/zstd.ts';
import {
  describeWith,
  pythonImage,
  registryLogin,
  requireDockerEngine,
  requirePrivateRegistry,
  requireRegistry,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { never } from '../conformance/bench.conformance.ts';
import { EngineClient } from '../engine/client.ts';
import { ImageError } from '../port.ts';
import { archiveOf } from './fixtures/archive.ts';
import { publish, publishIndex } from './fixtures/publish.ts';
import { ImageStore } from './image-store.ts';
import { UnpackedImages, type UnpackedImagesOptions } from './prepare.ts';

const quietly = { signal: never, onProgress: () => undefined };
const base = archiveOf([
  { name: 'bin/', type: '5' },
  { name: 'bin/bash', body: 'a shell', mode: 0o755 },
  { name: 'old', body: 'old' },
]);
const top = archiveOf([{ name: '.wh.old' }, { name: 'new', body: 'new' }]);

describeWith('unpacked images', [requireDockerEngine, requireRegistry, requirePrivateRegistry], () => {
  let registry: Registry;
  let place: string;
  let store: ImageStore;
  let used: string | undefined;
  let now = 0;

  beforeAll(async () => {
    registry = await requireRegistry();
  });
  afterAll(() => registry.stop());
  beforeEach(async () => {
    place = mkdtempSync(join(tmpdir(), 'sheaf-store-'));
    store = await ImageStore.open(place);
    used = undefined;
  });
  afterEach(() => rmSync(place, { recursive: true, force: true }));

  function images(more: Partial<UnpackedImagesOptions> = {}): UnpackedImages {
    return new UnpackedImages({
      store,
      engine: undefined,
      worker: 'test',
      login: async () => undefined,
      isPlain: () => true,
      architecture: 'amd64',
      canExecute: (made) => made === 'amd64',
      inUse: async (id) => id === used,
      now: () => now,
      ...more,
    });
  }

  function target(tag = '1', address = registry.address) {
    const repository = `made/${randomUUID()}`;
    return { registry: address, repository, tag, name: `${address}/${repository}:${tag}` };
  }

  it('are their layers, one on top of the other', async () => {
    const where = target();
    const digest = await publish(where, { layers: [base, top], environment: ['A=b'] });
    const words: string[] = [];

    const image = await images().prepare(where.name, {
      signal: never,
      onProgress: (text) => words.push(text),
    });

    expect(image).toMatchObject({
      digest: `${where.registry}/${where.repository}@${digest}`,
      size: 'a shell'.length + 'old'.length + 'new'.length,
      downloaded: true,
    });
    expect(readdirSync(store.root(image.id)).toSorted()).toEqual(['bin', 'new']);
    expect(store.get(image.id)).toMatchObject({
      shell: '/bin/bash',
      environment: ['A=b'],
      architecture: 'amd64',
    });
    expect(words.at(-1)).toMatch(/^Downloading .*\(100% done\)$/);
  });

  it('are unpacked once, however many ask, under whatever name', async () => {
    const where = target();
    const digest = await publish(where, { layers: [base] });
    const all = images();
    const exact = `${where.registry}/${where.repository}@${digest}`;

    const found = await Promise.all(
      [where.name, where.name, exact].map((name) => all.prepare(name, quietly)),
    );

    expect(new Set(found.map(({ id }) => id)).size).toBe(1);
    expect(readdirSync(place)).toHaveLength(1);
  });

  it('are those that a tag means now', async () => {
    const where = target();
    await publish(where, { layers: [base] });
    const all = images();
    const first = await all.prepare(where.name, quietly);
    await publish(where, { layers: [base, top] });

    expect(await all.prepare(where.name, quietly)).toEqual(first);
    now += 61_000;
    const second = await all.prepare(where.name, quietly);

    expect(second.id).not.toBe(first.id);
    expect((await ImageStore.open(place)).named(where.name)?.id).toBe(second.id);
  });

  it('are used as they are while their registry is away', async () => {
    const gone = await requireRegistry();
    const where = target('1', gone.address);
    await publish(where, { layers: [base] });
    const image = await images().prepare(where.name, quietly);
    await gone.stop();

    expect(await images().prepare(where.name, quietly)).toEqual(image);
    await expect(images().prepare(`${gone.address}/other:1`, quietly)).rejects.toMatchObject({
      transient: true,
      message: expect.stringContaining('the registry cannot be reached from the worker') as unknown,
    });
  });

  it('are those for this kind of machine', async () => {
    const where = target();
    const digest = await publishIndex(where, [
      { layers: [top], architecture: 's390x' },
      { layers: [base], architecture: 'amd64' },
    ]);

    const image = await images().prepare(where.name, quietly);

    expect(image.digest).toBe(`${where.registry}/${where.repository}@${digest}`);
    expect(existsSync(join(store.root(image.id), 'old'))).toBe(true);
  });

  it.each([
    ['a list without this kind of machine', 'list', /not made for this worker's kind of machine/],
    ['an image for another kind of machine', 'image', /made for s390x, and this worker's machine is amd64/],
  ])('are refused: %s', async (_, kind, words) => {
    const where = target();
    const foreign = { layers: [base], architecture: 's390x' };
    await (kind === 'list' ? publishIndex(where, [foreign]) : publish(where, foreign));

    await expect(images().prepare(where.name, quietly)).rejects.toThrow(words);
    expect(readdirSync(place)).toEqual([]);
  });

  it.each([
    ['what is no name', 'No Name', /this is not the name of an image/],
    ['what the registry does not have', 'nothing/there:1', /the registry has no such image/],
  ])('are not there: %s', async (_, name, words) => {
    const text = name.includes(' ') ? name : `${registry.address}/${name}`;

    await expect(images().prepare(text, quietly)).rejects.toThrow(words);
    await expect(images().prepare(text, quietly)).rejects.toMatchObject({
      name: 'ImageError',
      transient: false,
    });
  });

  it('above a size are not downloaded', async () => {
    const where = target();
    await publish(where, { layers: [base] });

    const attempt = images().prepare(where.name, { ...quietly, maximumSize: 100 });

    await expect(attempt).rejects.toThrow(/exceeds the maximum image size allowed 100/);
    expect(readdirSync(place)).toEqual([]);
  });

  it('that mean harm leave nothing behind', async () => {
    const where = target();
    await publish(where, { layers: [base, archiveOf([{ name: '../../escaped', body: 'x' }])] });

    await expect(images().prepare(where.name, quietly)).rejects.toThrow(/it has a file outside of itself/);
    expect(readdirSync(place)).toEqual([]);
  });

  it('that do not fit on the disk leave nothing behind, and may fit later', async () => {
    const where = target();
    await publish(where, { layers: [base, archiveOf([{ name: 'large', body: 'x'.repeat(3 << 20) }])] });
    const small = join(place, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'small', small]);
    try {
      store = await ImageStore.open(small);
      const attempt = images().prepare(where.name, quietly);

      await expect(attempt).rejects.toThrow(/the disk of the worker is full/);
      await expect(attempt).rejects.toMatchObject({ name: 'ImageError', transient: true });
      expect(readdirSync(small)).toEqual([]);
      execFileSync('mount', ['-o', 'remount,size=9m', small]);
      expect((await images().prepare(where.name, quietly)).size).toBeGreaterThan(3 << 20);
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('that were being unpacked when the worker died are not there for the next one', async () => {
    const where = target();
    await publish(where, { layers: [base] });
    const whole = await images().prepare(where.name, quietly);
    const half = join(place, 'new-half/rootfs');
    mkdirSync(half, { recursive: true });
    writeFileSync(join(half, 'file'), '');
    const damaged = join(place, '0'.repeat(64));
    mkdirSync(damaged);
    writeFileSync(join(damaged, 'image.json'), '{"id":');

    const later = await ImageStore.open(place);

    expect(readdirSync(place)).toEqual([whole.id.replace('sha256:', '')]);
    expect(later.get(whole.id)).toEqual(store.get(whole.id));
  });

  it('are given up on when nobody wants them any more', async () => {
    const where = target();
    await publish(where, { layers: [base, archiveOf([{ name: 'large', body: 'x'.repeat(9 << 20) }])] });
    const impatient = new AbortController();

    const attempt = images().prepare(where.name, {
      signal: impatient.signal,
      onProgress: () => impatient.abort(new Error('enough')),
    });

    await expect(attempt).rejects.toThrow('enough');
    await expect.poll(() => readdirSync(place)).toEqual([]);
  });

  it('are removed, but for those in use', async () => {
    const where = target();
    await publish(where, { layers: [base] });
    const all = images();
    const { id } = await all.prepare(where.name, quietly);

    used = id;
    expect(await all.remove(id)).toBe('in use');
    used = undefined;
    expect(await all.remove(id)).toBe('removed');
    expect(await all.remove(id)).toBe('gone');
    expect(readdirSync(place)).toEqual([]);
    expect((await all.prepare(where.name, quietly)).id).toBe(id);
  });

  it('may be packed with zstd', async () => {
    const where = target();
    await publish(where, { layers: [zstdCompressed(base), top] });

    const { id } = await images().prepare(where.name, quietly);

    expect(readFileSync(join(store.root(id), 'bin/bash'), 'utf8')).toBe('a shell');
  });

  it('of private registries come with the login of the worker', async () => {
    const secret = await requirePrivateRegistry();
    try {
      const name = `${secret.address}/made:1`;
      const login = async () => ({ ...registryLogin, serveraddress: secret.address });

      await expect(images().prepare(name, quietly)).rejects.toThrow(
        /it is private and the worker is not logged in/,
      );
      // It is let in, and finds nothing.
      await expect(images({ login }).prepare(name, quietly)).rejects.toThrow(
        /has no such image; check its name/,
      );
    } finally {
      await secret.stop();
    }
  });

  it('are taken from an engine that has them, whole, and by their digest', async () => {
    const gone = await requireRegistry();
    const name = await pythonImage(gone);
    const engine = await EngineClient.connect({ kind: 'socket', path: '/var/run/docker.sock' }, never);
    try {
      const before = await engine.inspectImage(name);
      const image = await images({ engine }).prepare(name, quietly);

      expect(image).toMatchObject({
        id: before.Id,
        digest: before.RepoDigests?.find((one) => one.startsWith(gone.address)),
      });
      expect(store.get(image.id)).toMatchObject({ shell: '/bin/bash' });
      expect(existsSync(join(store.root(image.id), 'usr/bin/python3'))).toBe(true);
      expect(await engine.listContainers({ label: ['sheaf.export=test'] })).toEqual([]);
    } finally {
      engine.close();
      await gone.stop();
    }
  });

  it('errors say what they are', async () => {
    const attempt = images().prepare(`${registry.address}/nothing:1`, quietly);

    await expect(attempt).rejects.toThrow(ImageError);
  });
});
