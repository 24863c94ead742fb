/* A container engine that dies under its containers: the runs are the platform's to answer for, and end well on another attempt. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  archiveWithoutBash,
  describeWith,
  eventually,
  PrivateEngine,
  requireDockerEngine,
  requireNetwork,
  type Network,
} from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventsOf, kindsOf } from '../support/events.ts';
import { waitForFile } from '../support/faulty-line.ts';
import { Installation } from '../support/installation.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

const inImage = ['--request-docker-image', 'sheaf-test/dying:1'];

describeWith('an engine killed with -9 and started again', [requireNetwork, requireDockerEngine], () => {
  let network: Network;
  let engine: PrivateEngine;
  let installation: Installation;
  let worker: WorkerMachine;
  beforeAll(async () => {
    network = await requireNetwork();
    const host = network.addHost('dying');
    engine = await PrivateEngine.start(host);
    await engine.importImage(await archiveWithoutBash(), 'sheaf-test/dying', '1');
    installation = new Installation('docker', { SHEAF_HOST: network.address });
    await installation.startServer();
    worker = await WorkerMachine.start(installation, {
      id: 'dying',
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
  const runningAgain = (uuid: string) =>
    eventually('the second attempt', async () => {
      const last = (await eventsOf(installation, uuid)).at(-1);
      return last?.kind === 'running' && last.attempt === 2 ? true : undefined;
    });
  const tellsRetry = async (uuid: string) => {
    expect(await kindsOf(installation, uuid)).toEqual([
      'assigned',
      'started',
      'running',
      'restaged',
      'assigned',
      'started',
      'running',
      'finished',
    ]);
    const retried = (await eventsOf(installation, uuid)).find(({ kind }) => kind === 'restaged');
    expect(retried).toMatchObject({ attempt: 1, worker_id: 'dying' });
    expect(retried?.text).toMatch(
      /^Worker dying could not execute the run: .*(ended from outside|not found).* it is tried again \(1 of 3\)/,
    );
  };
  const nothingLeft = () =>
    eventually('no container left', async () =>
      (await engine.containers()).length === 0 ? true : undefined,
    );

  it('runs that ran end ready on a retry, which their history tells', async () => {
    const uuids = [await running(`echo one; ${waitForFile}`), await running(`echo two; ${waitForFile}`)];

    await engine.kill();
    await engine.start();

    for (const [at, uuid] of uuids.entries()) {
      await runningAgain(uuid);
      writeFileSync(join(worker.runDirectory(uuid), 'go'), '');
      expect((await installation.finished(uuid)).state).toBe('ready');
      expect(await installation.ok('cat', `${uuid}/stdout`)).toBe(['one', 'two'][at]);
      await tellsRetry(uuid);
    }
    await nothingLeft();
  });

  it('and its worker too: the next worker learns from the engine what has happened', async () => {
    const uuid = await running(`echo both; ${waitForFile}`);

    await Promise.all([worker.end('SIGKILL'), engine.kill()]);
    await engine.start();
    await worker.start();

    await runningAgain(uuid);
    writeFileSync(join(worker.runDirectory(uuid), 'go'), '');
    expect((await installation.finished(uuid)).state).toBe('ready');
    await tellsRetry(uuid);
    await nothingLeft();
  });

  it('what the command does to itself is not tried again', async () => {
    const uuid = await installation.ok('run', 'kill -9 $$', ...inImage);

    expect((await installation.finished(uuid)).state).toBe('failed');
    expect(await kindsOf(installation, uuid)).not.toContain('restaged');
  });
});
