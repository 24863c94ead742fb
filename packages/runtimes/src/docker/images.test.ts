import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  describeWith,
  forgetImage,
  registryLogin,
  requireDockerEngine,
  requirePrivateRegistry,
  requireRegistry,
  runProcess,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { never } from '../conformance/bench.conformance.ts';
import { EngineClient } from '../engine/client.ts';
import { ImageError, type PreparedImage } from '../port.ts';
import { Images, type ImagesOptions } from './images.ts';
import { encodeLogin, registryLogin as loginOf, type RegistryLogin } from './registry-login.ts';

const address = { kind: 'socket', path: '/var/run/docker.sock' } as const;

describeWith('images', [requireDockerEngine, requireRegistry, requirePrivateRegistry], () => {
  let directory: string;
  let registry: Registry;
  let engine: EngineClient;
  let now = 0;
  let images: Images;
  let calls: string[] = [];
  /** That of the last pull. */
  let pulling: AbortSignal | undefined;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sheaf-images-'));
    registry = await requireRegistry();
    engine = await EngineClient.connect(address, never);
  });
  beforeEach(() => {
    calls = [];
    images = imagesWith(undefined);
  });
  afterAll(async () => {
    engine.close();
    await registry.stop();
    await rm(directory, { recursive: true });
  });

  /** Notes what goes to the registry. */
  function imagesWith(login: RegistryLogin | undefined, more: Partial<ImagesOptions> = {}): Images {
    const noting = new Proxy(engine, {
      get(target, name) {
        if (name === 'resolveImage' || name === 'pullImage') {
          calls.push(name);
        }
        const member: unknown = Reflect.get(target, name, target);
        if (name === 'pullImage') {
          return (...words: Parameters<EngineClient['pullImage']>) => {
            pulling = words[3];
            return target.pullImage(...words);
          };
        }
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
    return new Images({
      engine: noting,
      login: async () => login,
      now: () => now,
      canResolve: true,
      architecture: 'amd64',
      canExecute: () => true,
      isPlain: () => true,
      ...more,
    });
  }

  function prepare(reference: string, signal = never, from = images): Promise<PreparedImage> {
    return from.prepare(reference, { signal, onProgress: () => undefined });
  }

  /** Makes an image like no other, and puts it into a registry but not into the engine. Answers its name. */
  async function publish(
    repository = `${registry.address}/letters/image`,
    login?: RegistryLogin,
    size = 2000,
  ): Promise<string> {
    const tag = 'now';
    const content = randomUUID();
    const archive = join(directory, `${content}.tar`);
    await writeFile(join(directory, content), randomBytes(size));
    await runProcess('tar', ['--create', '--file', archive, '--directory', directory, content]);
    for await (const line of engine.importImage(createReadStream(archive), { repo: repository, tag })) {
      expect(line.error).toBeUndefined();
    }
    for await (const line of engine.pushImage(repository, tag, login && encodeLogin(login))) {
      expect(line.error).toBeUndefined();
    }
    await forgetImage(`${repository}:${tag}`);
    return `${repository}:${tag}`;
  }

  it('are downloaded once, and known by their digest', async () => {
    const name = await publish();

    const first = await prepare(name);
    const second = await prepare(name, never, imagesWith(undefined));

    expect(first.digest).toMatch(new RegExp(`^${registry.address}/letters/image@sha256:[0-9a-f]{64}$`));
    expect(first.id).toMatch(/^sha256:/);
    expect(first.size).toBeGreaterThanOrEqual(2000);
    expect(first.downloaded).toBe(true);
    expect(second).toEqual({ ...first, downloaded: undefined });
    expect(calls).toEqual(['resolveImage', 'pullImage', 'resolveImage']);
  });

  it('have a port in their name and still a tag, or none', async () => {
    const name = await publish(`${registry.address}/plain`);
    await engine.tagImage((await prepare(name)).id, `${registry.address}/plain`, 'latest');
    for await (const line of engine.pushImage(`${registry.address}/plain`, 'latest')) {
      expect(line.error).toBeUndefined();
    }

    const { id, digest } = await prepare(name);
    expect(await prepare(`${registry.address}/plain`)).toMatchObject({ id, digest });
  });

  it('are not asked about again for a minute', async () => {
    const name = await publish();
    await prepare(name);
    calls = [];

    now += 59_000;
    await prepare(name);
    expect(calls).toEqual([]);
    now += 2_000;
    await prepare(name);
    expect(calls).toEqual(['resolveImage']);
  });

  it('are downloaded again within the minute where somebody removed them', async () => {
    const name = await publish();
    await prepare(name);
    await forgetImage(name);

    await prepare(name);

    expect(calls.filter((call) => call === 'pullImage')).toHaveLength(2);
  });

  it('named by a digest that is here never ask the registry', async () => {
    const { digest, id } = await prepare(await publish());
    calls = [];

    const again = await prepare(String(digest));

    expect(again).toMatchObject({ digest, id });
    expect(calls).toEqual([]);
  });

  it('named by a digest that is not here are downloaded', async () => {
    const name = await publish();
    const { digest, id } = await prepare(name);
    await forgetImage(name);

    expect(await prepare(String(digest))).toMatchObject({ digest, id });
  });

  it('follow their tag when it moves', async () => {
    const before = await prepare(await publish());
    const name = await publish();
    now += 61_000;

    const after = await prepare(name);

    expect(after.id).not.toBe(before.id);
    expect(after.digest).not.toBe(before.digest);
  });

  it('are shared by those who want the same at the same time', async () => {
    const name = await publish();
    const impatient = new AbortController();
    const all = [prepare(name), prepare(name), prepare(name, impatient.signal)];
    impatient.abort(new Error('enough'));

    const [first, second, third] = await Promise.allSettled(all);

    expect(first).toEqual(second);
    expect(first?.status).toBe('fulfilled');
    expect(third).toMatchObject({ status: 'rejected', reason: new Error('enough') });
    expect(calls.filter((call) => call === 'pullImage')).toHaveLength(1);
  });

  it('that are here will do when the registry is away', async () => {
    const passing = await requireRegistry();
    const name = await publish(`${passing.address}/letters`);
    const known = await prepare(name);
    await engine.tagImage(known.id, 'sheaf-test/kept', 'now');
    await passing.stop();
    await engine.tagImage(known.id, `${passing.address}/letters`, 'now');

    expect(await prepare(name, never, imagesWith(undefined))).toMatchObject({ id: known.id });
    await forgetImage(name);
    await engine.removeImage('sheaf-test/kept:now');
    await expect(prepare(name, never, imagesWith(undefined))).rejects.toMatchObject({
      name: 'ImageError',
      transient: true,
      message: expect.stringContaining('the registry cannot be reached') as string,
    });
  });

  it('are pulled to find out, by an engine that cannot ask', async () => {
    const podman = imagesWith(undefined, { canResolve: false });
    const first = await prepare(await publish(), never, podman);
    now += 61_000;
    const name = await publish();

    const second = await prepare(name, never, podman);

    expect(second.id).not.toBe(first.id);
    expect(calls).toEqual(['pullImage', 'pullImage']);
    await engine.tagImage(second.id, 'sheaf-test/kept', 'now');
    expect(await prepare('sheaf-test/kept:now', never, podman)).toMatchObject({ id: second.id });
    await engine.removeImage('sheaf-test/kept:now');
  });

  it('that were never in a registry have no digest', async () => {
    const { id } = await prepare(await publish());
    await engine.tagImage(id, 'sheaf-test/local', 'now');

    expect(await prepare('sheaf-test/local:now')).toMatchObject({ id });
    expect(await prepare(id)).toMatchObject({ id });
    await engine.removeImage('sheaf-test/local:now');
  });

  it.each([
    ['a repository nobody made', 'no/such-image:1', /the registry has no such image/],
    ['a tag nobody made', 'letters/image:2', /the registry has no such image/],
    ['a digest nobody made', `letters/image@sha256:${'1'.repeat(64)}`, /the registry has no such image/],
    ['no name at all', 'Not A Name?x=y', /this is not the name of an image/],
  ])('cannot be had: %s', async (_, path, reason) => {
    await publish();
    const name = `${registry.address}/${path}`;

    const failure = await prepare(name).catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(ImageError);
    expect(failure).toMatchObject({ transient: false });
    expect(String(failure)).toContain(`Can't download image ${name}: `);
    expect(String(failure)).toMatch(reason);
  });

  it('larger than allowed are refused before anything comes', async () => {
    const name = await publish(undefined, undefined, 20 << 20);

    const refused = images.prepare(name, { signal: never, onProgress: ignore, maximumSize: 19 << 20 });

    await expect(refused).rejects.toThrow(
      `The size of ${name}: 20.0m exceeds the maximum image size allowed 19m.`,
    );
    expect(calls).toEqual(['resolveImage']);
    await expect(
      images.prepare(name, { signal: never, onProgress: ignore, maximumSize: 21 << 20 }),
    ).resolves.toMatchObject({ downloaded: true });
  });

  it('larger than allowed are refused while they come, where the registry does not tell their size', async () => {
    const name = await publish(undefined, undefined, 20 << 20);
    const statuses: string[] = [];
    const onProgress = (status: string): void => void statuses.push(status);
    // Nobody listens there with TLS: the registry answers the engine only.
    const blind = imagesWith(undefined, { isPlain: () => false });

    const refused = blind.prepare(name, { signal: never, onProgress, maximumSize: 19 << 20 });

    await expect(refused).rejects.toThrow(/^The size of .*: 20\.0m exceeds the maximum/);
    expect(statuses[0]).toMatch(/^Downloading .*\/20\.0m \(\d+% done\)$/);
    expect(calls).toEqual(['resolveImage', 'pullImage']);
  });

  it('made for another kind of machine are refused, once that is certain', async () => {
    const name = await publish();
    const foreign = imagesWith(undefined, { architecture: 'riscv64', canExecute: () => false });
    const unsure = imagesWith(undefined, { architecture: 'riscv64', canExecute: () => undefined });

    await expect(prepare(name, never, foreign)).rejects.toMatchObject({
      name: 'ImageError',
      transient: false,
      message: `Can't use image ${name}: it is made for amd64, and this worker's machine is riscv64`,
    });
    expect(await prepare(name, never, unsure)).toMatchObject({ id: expect.any(String) as string });
  });

  it('stop coming when the last who wanted them has left', async () => {
    const name = await publish(undefined, undefined, 4 << 20);
    const slow = await slowRegistry(registry.address);
    const slowName = name.replace(registry.address, slow.address);
    const kill = new AbortController();

    const waiting = prepare(slowName, kill.signal);
    await slow.downloading;
    kill.abort(new Error('killed'));

    await expect(waiting).rejects.toThrow('killed');
    // The engine gives up a pull whose request is broken off.
    expect(pulling?.aborted).toBe(true);
    await expect(engine.inspectImage(slowName)).rejects.toMatchObject({ status: 404 });
    await slow.close();
  });

  it('of a private registry need the login that docker login left', async () => {
    const secret = await requirePrivateRegistry();
    const file = join(directory, 'config.json');
    const auth = Buffer.from(`${registryLogin.username}:${registryLogin.password}`).toString('base64');
    await writeFile(file, JSON.stringify({ auths: { [secret.address]: { auth } } }));
    const repository = `${secret.address}/letters`;
    const login = await loginOf(file, repository);
    const name = await publish(repository, login);

    const wrong = imagesWith({ ...(login as RegistryLogin), password: 'guessed' });
    const intruder = await prepare(name, never, wrong).catch((error: unknown) => error);
    const limited = imagesWith(login).prepare(name, { signal: never, onProgress: ignore, maximumSize: 1000 });
    await expect(limited).rejects.toThrow(/exceeds the maximum image size allowed 1000/);
    expect(String(intruder)).toMatch(/does not accept the login that this worker has for it/);
    expect(intruder).toMatchObject({ transient: false });
    const stranger = await prepare(name).catch((error: unknown) => error);
    const friend = await prepare(name, never, imagesWith(login));
    await secret.stop();

    expect(String(stranger)).toMatch(/private and the worker is not logged in/);
    expect(stranger).toMatchObject({ transient: false });
    expect(friend.digest).toContain(`${repository}@sha256:`);
  });

  it('are removed with all their names, unless a container needs them', async () => {
    const { id } = await prepare(await publish());
    await engine.tagImage(id, 'sheaf-test/second-name', 'now');
    const body = { Image: id, Cmd: ['/nothing'] };
    const container = await engine.createContainer(`sheaf-images-${process.pid}`, body);

    expect(await images.remove(id)).toBe('in use');
    expect((await engine.inspectImage(id)).RepoTags).toHaveLength(2);
    await engine.removeContainer(container);
    expect(await images.remove(id)).toBe('removed');
    expect(await images.remove(id)).toBe('gone');
  });
});

const ignore = (): void => undefined;

/** Passes everything on to a registry, but stops in the middle of the first long answer. */
async function slowRegistry(target: string): Promise<{
  address: string;
  downloading: Promise<void>;
  close(): Promise<void>;
}> {
  const begun = withResolve();
  const server = createServer((incoming, outgoing) => {
    const call = request(`http://${target}${incoming.url ?? ''}`, {
      method: incoming.method ?? 'GET',
      headers: { ...incoming.headers, host: target },
    });
    call.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      if (Number(answer.headers['content-length'] ?? 0) < 1 << 20) {
        answer.pipe(outgoing);
        return;
      }
      answer.once('data', (chunk: Buffer) => {
        outgoing.write(chunk.subarray(0, 1000));
        answer.destroy();
        begun.resolve();
      });
    });
    call.on('error', () => outgoing.destroy());
    incoming.pipe(call);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    downloading: begun.promise,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function withResolve(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
