/* The container engine stops and starts while runs run, with an engine that nobody else uses. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  describeWith,
  eventually,
  PrivateEngine,
  pythonArchive,
  requireDockerEngine,
  requireNetwork,
  runProcess,
  type Network,
} from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitForFile } from '../support/faulty-line.ts';
import { eventsOf } from '../support/events.ts';
import { Installation } from '../support/installation.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

const image = 'sheaf-test/private:1';
const inImage = ['--request-docker-image', image];

describeWith('an engine that is', [requireNetwork, requireDockerEngine], () => {
  let network: Network;
  let engine: PrivateEngine;
  let installation: Installation;
  let worker: WorkerMachine;
  beforeAll(async () => {
    network = await requireNetwork();
    const host = network.addHost('engine');
    engine = await PrivateEngine.start(host);
    await engine.importImage(await pythonArchive(), 'sheaf-test/private', '1');
    installation = new Installation('docker', { SHEAF_HOST: network.address });
    await installation.startServer();
    worker = await WorkerMachine.start(installation, {
      id: 'engine',
      host,
      environment: { DOCKER_HOST: engine.address },
    });
  });
  afterAll(async () => {
    await worker.end();
    await installation.stop();
    await engine.close();
    network.close();
  });

  const running = async (command: string) => {
    const uuid = await installation.ok('run', command, ...inImage);
    await installation.inState(uuid, 'running');
    return uuid;
  };
  /** Why there was one, once it has run to a good end. */
  const secondAttempt = async (uuid: string) => {
    const again = await eventually('another attempt', async () => {
      const events = await eventsOf(installation, uuid);
      const restaged = events.find(({ kind }) => kind === 'restaged');
      return restaged !== undefined && events.at(-1)?.kind === 'running' ? restaged.text : undefined;
    });
    writeFileSync(join(worker.runDirectory(uuid), 'go'), '');
    expect((await installation.finished(uuid)).state).toBe('ready');
    return again;
  };

  it('stopped: its containers end with it, and the runs say so and are tried again', async () => {
    const uuid = await running(`echo begun; ${waitForFile}`);

    await engine.stop();
    await engine.start();

    expect(await secondAttempt(uuid)).toMatch(/container was ended from outside the run.*container engine/);
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('begun');
    const next = await installation.ok('run', 'echo as before', ...inImage);
    expect((await installation.finished(next)).state).toBe('ready');
  });

  it('away for a while, and its containers are not: runs that run say so, those that come wait for it', async () => {
    await engine.stop();
    await engine.start({ liveRestore: true });
    const uuid = await running(`${waitForFile}; echo over`);
    await engine.stop();

    await eventually('words', async () => {
      const { state, metadata } = await installation.bundle(uuid);
      const said = /container engine does not answer/.test(String(metadata['run_status']));
      return state === 'running' && said ? true : undefined;
    });
    const waiting = await installation.ok('run', 'echo waited', ...inImage);
    writeFileSync(join(worker.runDirectory(uuid), 'go'), '');
    await engine.start({ liveRestore: true });

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('over');
    expect((await installation.finished(waiting)).state).toBe('ready');
  });

  it('stopped by somebody else’s hand: a container that is removed does not keep its run', async () => {
    const uuid = await running(waitForFile);
    const ids = await runProcess('docker', ['--host', engine.address, 'ps', '--quiet', '--no-trunc']);

    await runProcess('docker', ['--host', engine.address, 'rm', '--force', ...ids.trim().split('\n')]);

    expect(await secondAttempt(uuid)).toMatch(/Docker container not found|ended from outside/);
  });
});
