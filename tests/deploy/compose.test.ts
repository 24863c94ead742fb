/* The images of deploy/docker, put together by its compose file: a run end to end, and everything still there after a restart. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  deploymentImages,
  describeWith,
  eventually,
  pythonImage,
  requireCompose,
  requireDockerEngine,
  requireRegistry,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root, run } from '../support/programs.ts';

describeWith('the compose file', [requireDockerEngine, requireRegistry, requireCompose], () => {
  // Its processes are containers; what it is here is their address, and a home for `cl`.
  const installation = new Installation('docker');
  const workDirectory = mkdtempSync(join(tmpdir(), 'sheaf-compose-'));
  let environment: Record<string, string>;
  let registry: Registry;
  let image: string;

  beforeAll(async () => {
    registry = await requireRegistry();
    image = await pythonImage(registry);
    const { base, postgres } = await deploymentImages();
    const port = await freePort();
    installation.url = `http://127.0.0.1:${port}`;
    const password = 'letter by letter';
    const json = (name: string, value: unknown) =>
      writeFileSync(join(installation.home, name), JSON.stringify(value), { mode: 0o600 });
    json('server.json', { url: installation.url });
    json('administrator.json', { username: 'codalab', password });
    environment = {
      COMPOSE_PROJECT_NAME: `sheaf-test-${port}`,
      SHEAF_BASE_IMAGE: base,
      SHEAF_POSTGRES_IMAGE: postgres,
      SHEAF_PASSWORD: password,
      SHEAF_PORT: String(port),
      SHEAF_WORK_DIR: workDirectory,
      SHEAF_WORKER_ID: 'compose',
    };
    await compose('up', '--detach', '--build');
  });
  afterAll(async () => {
    await compose('down', '--volumes', '--rmi', 'local');
    await registry.stop();
    await installation.stop();
    await run('rm', ['-rf', workDirectory]);
  });

  async function compose(...words: string[]): Promise<string> {
    const file = join(root, 'deploy/docker/compose.yaml');
    const { code, stdout, stderr } = await run('docker-compose', ['--file', file, ...words], {
      env: environment,
    });
    if (code !== 0)
      throw new Error(`docker-compose ${words.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  const words = (uuid: string) => ['--request-docker-image', image, `letter:${uuid}`];

  it('runs the server as nobody in particular, tells whether it is well, and has a client for its administrator', async () => {
    expect(await compose('exec', '-T', 'server', 'id', '-u')).toBe('2900');
    const container = await compose('ps', '-q', 'server');
    const health = execFileSync('docker', ['inspect', '--format', '{{.State.Health.Status}}', container]);
    expect(String(health).trim()).toBe('healthy');
    expect(await compose('exec', '-T', 'server', 'cl', 'workers')).toMatch(/compose/);
  });

  it('executes runs, keeps everything when server and worker are started anew, and does not disturb what runs', async () => {
    writeFileSync(join(installation.home, 'letter'), 'dear reader\n');
    const data = await installation.ok('upload', join(installation.home, 'letter'));
    const done = await installation.ok('run', ...words(data), 'wc -w < letter');
    expect(await installation.finished(done)).toMatchObject({ state: 'ready' });
    const going = await installation.ok(
      'run',
      ...words(data),
      'until [ -e go ]; do sleep 0.1; done; cat letter',
    );
    await installation.inState(going, 'running');

    await compose('restart', 'server');
    // As an upgrade does it: another container takes the place of the worker's.
    await compose('up', '--detach', '--no-deps', '--force-recreate', 'worker');
    await eventually('the server is there again', async () => {
      const answer = await fetch(`${installation.url}/health`).catch(() => undefined);
      return answer?.ok === true ? true : undefined;
    });
    writeFileSync(join(workDirectory, 'runs', going, 'go'), '');

    expect(await installation.ok('cat', `${done}/stdout`)).toBe('2');
    expect(await installation.ok('cat', data)).toBe('dear reader');
    expect(await installation.finished(going)).toMatchObject({ state: 'ready' });
    expect(await installation.ok('cat', `${going}/stdout`)).toBe('dear reader');
    expect((await installation.bundle(going)).metadata['remote_history']).toHaveLength(1);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
