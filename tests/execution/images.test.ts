/* Images as users name them: what a run gets, what it is told when it gets none, and what stays on the worker's machine. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  describeWith,
  eventually,
  registryLogin,
  requireDockerEngine,
  requirePrivateRegistry,
  requireRegistry,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventsOf } from '../support/events.ts';
import { ImageMaker } from '../support/images.ts';
import { end, Installation } from '../support/installation.ts';

describeWith('images', [requireDockerEngine, requireRegistry, requirePrivateRegistry], () => {
  let installation: Installation;
  let images: ImageMaker;
  let registry: Registry;
  let secret: Registry;
  let docker: string;
  beforeAll(async () => {
    [registry, secret, images] = await Promise.all([
      requireRegistry(),
      requirePrivateRegistry(),
      ImageMaker.connect(),
    ]);
    docker = mkdtempSync(join(tmpdir(), 'sheaf-docker-'));
    installation = await Installation.start('docker', { DOCKER_CONFIG: docker });
  });
  afterAll(async () => {
    await installation.stop();
    await registry.stop();
    await secret.stop();
    images.close();
    rmSync(docker, { recursive: true });
  });

  const start = (image: string, command: string, ...flags: string[]) =>
    installation.ok('run', command, '--request-docker-image', image, ...flags);

  async function outcome(image: string, command = 'cat /unique.txt') {
    const uuid = await start(image, command);
    const { state, metadata } = await installation.finished(uuid);
    const text = state === 'ready' ? await installation.ok('cat', `${uuid}/stdout`) : '';
    return { state, text, failure: metadata['failure_message'], digest: metadata['docker_image'] };
  }

  it('a tag stands for what the registry has now; the digest is recorded and means the same for ever', async () => {
    const repository = `${registry.address}/moving`;
    const name = await images.publish(repository, 'tag', { files: { 'unique.txt': 'first' } });
    const first = await outcome(name);
    expect(first).toMatchObject({ state: 'ready', text: 'first' });
    expect(first.digest).toMatch(new RegExp(`^${repository}@sha256:[0-9a-f]{64}$`));
    await images.publish(repository, 'tag', { files: { 'unique.txt': 'second' } });
    // An answer of the registry is believed for a minute: a worker that is started anew asks.
    await end(installation.worker, 'SIGTERM');
    await installation.startWorker();

    const second = await outcome(name);

    expect(second).toMatchObject({ state: 'ready', text: 'second' });
    expect(second.digest).not.toBe(first.digest);
    expect(await outcome(String(first.digest))).toMatchObject({
      state: 'ready',
      text: 'first',
      digest: first.digest,
    });
  });

  it('two runs that want the same at once get it', async () => {
    const name = await images.publish(`${registry.address}/shared`, '1');

    const [one, two] = await Promise.all([outcome(name), outcome(name)]);

    expect(one).toEqual(two);
    expect(one.state).toBe('ready');
  });

  it('one that is here will do when its registry is away; one that is not has the run tried elsewhere', async () => {
    const passing = await requireRegistry();
    const here = await images.publish(`${passing.address}/here`, '1', { keep: true });
    const id = (await images.engine.inspectImage(here)).Id;
    await images.engine.tagImage(id, 'sheaf-test/away', '1');
    await passing.stop();
    await images.engine.tagImage(id, `${passing.address}/here`, '1');

    expect(await outcome(here)).toMatchObject({ state: 'ready' });
    const gone = await installation.ok('run', 'true', '--request-docker-image', `${passing.address}/gone:1`);
    const tried = await eventually('another attempt', async () =>
      (await eventsOf(installation, gone)).find(({ kind }) => kind === 'restaged'),
    );
    expect(tried.text).toMatch(
      /could not execute the run: Failed to download Docker image: Can't download image .*gone:1: the registry cannot be reached from the worker.*tried again/,
    );
    await installation.ok('kill', gone);
    for (const name of [here, 'sheaf-test/away:1']) await images.engine.removeImage(name);
  });

  it.each([
    ['nobody made', 'no/such:1', /the registry has no such image; check its name and tag/],
    ['cannot be a name', 'No/Such Name', /this is not the name of an image/],
  ])('one that %s fails the run in words', async (_, path, words) => {
    const { state, failure } = await outcome(`${registry.address}/${path}`);

    expect(state).toBe('failed');
    expect(failure).toMatch(words);
  });

  it('one of a private registry needs a login, which takes effect at once, be it in a file or with a helper', async () => {
    const { username, password } = registryLogin;
    const header = (secretWord: string) =>
      Buffer.from(JSON.stringify({ username, password: secretWord })).toString('base64');
    const name = await images.publish(`${secret.address}/private`, '1', { login: header(password) });
    const configure = (configuration: object) =>
      writeFileSync(join(docker, 'config.json'), JSON.stringify(configuration));
    const auth = (word: string) => Buffer.from(`${username}:${word}`).toString('base64');

    expect((await outcome(name)).failure).toMatch(/it is private and the worker is not logged in to it/);
    configure({ auths: { [secret.address]: { auth: auth('guessed') } } });
    expect((await outcome(name)).failure).toMatch(/does not accept the login that this worker has for it/);
    configure({ auths: { [secret.address]: { auth: auth(password) } } });
    expect(await outcome(name)).toMatchObject({ state: 'ready' });
  });

  it('one for another kind of machine fails the run with its reason', async () => {
    // The head of a program for 64-bit ARM: no kernel of another kind executes it.
    const head = Buffer.alloc(120);
    head.write('\x7fELF\x02\x01\x01', 'latin1');
    head.writeUInt16LE(2, 16);
    head.writeUInt16LE(183, 18);
    const name = await images.publish(`${registry.address}/foreign`, '1', {
      files: { 'bin/bash': head, 'bin/busybox': head },
    });

    const { state, failure } = await outcome(name);

    expect(state).toBe('failed');
    expect(failure).toMatch(/made for another kind of processor than this machine has/);
  });

  it('larger ones than the worker takes are refused; those unused longest make room for others', async () => {
    const first = await images.publish(`${registry.address}/room`, '1');
    const second = await images.publish(`${registry.address}/room`, '2');
    const huge = await images.publish(`${registry.address}/room`, '3', {
      files: { big: Array.from({ length: 300_000 }, () => Math.random().toString(36)).join('') },
    });
    const owners = await images.publish(`${registry.address}/owner`, '1', { keep: true });
    const { Size } = await images.engine.inspectImage(owners);
    await end(installation.worker, 'SIGTERM');
    mkdirSync(join(installation.home, 'worker'), { recursive: true });
    rmSync(join(installation.home, 'worker', 'images.json'), { force: true });
    await installation.startWorker([
      '--max-image-size',
      '2m',
      '--max-image-cache-size',
      String(Math.floor(Size * 1.5)),
    ]);

    expect((await outcome(huge)).failure).toMatch(
      /The size of \S+room:3: \S+ exceeds the maximum image size allowed 2m\.$/,
    );
    expect(await images.has(huge)).toBe(false);
    expect((await outcome(owners)).state).toBe('ready');
    expect((await outcome(first)).state).toBe('ready');
    expect((await outcome(second)).state).toBe('ready');
    await eventually('the first is gone', async () => !(await images.has(first)) || undefined);
    expect(await images.has(second)).toBe(true);
    expect(await images.has(owners)).toBe(true);
  });
});
