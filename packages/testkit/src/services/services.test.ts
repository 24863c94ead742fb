import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineClient } from '@sheaf/runtimes/testing';
import { expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { runProcess } from '../processes.ts';
import { bareImages } from '../images/bare.ts';
import { forgetImage } from '../images/engine-images.ts';
import { pythonImage } from '../images/python.ts';
import { requireApptainer } from './apptainer.ts';
import { requireDockerEngine } from './docker-engine.ts';
import { requirePostgres } from './postgres.ts';
import { registryLogin, requirePrivateRegistry, requireRegistry } from './registry.ts';
import { describeWith } from './requirement.ts';
import { requireSlurm } from './slurm.ts';

async function download(image: string): Promise<void> {
  const { socketPath } = await requireDockerEngine();
  const signal = AbortSignal.timeout(60_000);
  const engine = await EngineClient.connect({ kind: 'socket', path: socketPath }, signal);
  const colon = image.lastIndexOf(':');
  for await (const line of engine.pullImage(
    image.slice(0, colon),
    image.slice(colon + 1),
    undefined,
    signal,
  )) {
    expect(line).not.toHaveProperty('error');
  }
  await engine.inspectImage(image);
  engine.close();
}

describeWith('PostgreSQL for tests', [requirePostgres], () => {
  it('gives empty databases of their own', async () => {
    const postgres = await requirePostgres();
    try {
      const first = await postgres.freshDatabase();
      const second = await postgres.freshDatabase();

      await runProcess('psql', [first, '--command', 'create table letters (name text)']);
      const tables = await runProcess('psql', [second, '--tuples-only', '--command', '\\dt']);

      expect(first).not.toBe(second);
      expect(tables).not.toContain('letters');
    } finally {
      await postgres.stop();
    }
  });
});

describeWith('registries for tests', [requireDockerEngine, requireRegistry, requirePrivateRegistry], () => {
  it('hold images that the engine can download', async () => {
    const registry = await requireRegistry();
    try {
      const { withoutBash, withoutShell } = await bareImages(registry);
      const python = await pythonImage(registry);

      for (const image of [withoutBash, withoutShell, python]) {
        await forgetImage(image);
        await download(image);
        await forgetImage(image);
      }
    } finally {
      await registry.stop();
    }
  }, 240_000);

  it('ask for a login where they are private', async () => {
    const registry = await requirePrivateRegistry();
    try {
      const catalogue = `http://${registry.address}/v2/_catalog`;
      const login = Buffer.from(`${registryLogin.username}:${registryLogin.password}`).toString('base64');

      const stranger = await fetch(catalogue);
      const reader = await fetch(catalogue, { headers: { authorization: `Basic ${login}` } });

      expect(stranger.status).toBe(401);
      expect(reader.status).toBe(200);
    } finally {
      await registry.stop();
    }
  });
});

describeWith('Slurm for tests', [requireSlurm], () => {
  it('runs jobs, and says when they are over', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sheaf-slurm-test-'));
    const slurm = await requireSlurm();
    try {
      const mark = join(directory, 'done');

      await slurm.finish(await slurm.submit(`touch ${mark}`));

      expect(existsSync(mark)).toBe(true);
    } finally {
      await slurm.stop();
      rmSync(directory, { recursive: true });
    }
  }, 60_000);

  it('takes its jobs along, and what they have started', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sheaf-slurm-test-'));
    const slurm = await requireSlurm();
    let pid = '';
    try {
      const file = join(directory, 'pid');
      await slurm.submit(`setsid env -i sleep 600 & echo $! >${file}; wait`);
      pid = await eventually(
        'the job',
        () => (existsSync(file) && readFileSync(file, 'utf8').trim()) || undefined,
      );
    } finally {
      await slurm.stop();
      rmSync(directory, { recursive: true });
    }

    await eventually('its end', () => !existsSync(`/proc/${pid}`) || undefined);
  }, 60_000);
});

describeWith('Apptainer for tests', [requireApptainer], () => {
  it('makes a container of a directory', async () => {
    const apptainer = await requireApptainer();
    const root = mkdtempSync(join(tmpdir(), 'sheaf-apptainer-'));
    const own = ['dev', 'proc', 'sys', 'etc', 'tmp', 'var/tmp'];
    const shared = ['bin', 'lib', 'lib64', 'usr'];
    for (const name of [...own, ...shared]) mkdirSync(join(root, name), { recursive: true });
    const binds = shared.flatMap((name) => ['--bind', `/${name}`]);
    const words = ['--silent', 'exec', '--userns', '--containall', '--no-home', ...binds, '--pwd', '/', root];

    expect(await runProcess(apptainer, [...words, 'echo', 'inside'])).toBe('inside\n');
    rmSync(root, { recursive: true });
  });
});
