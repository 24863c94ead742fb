/* A container engine that dies under its containers: the runs are the platform's to answer for, and end well on another attempt. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  archiveWithoutBash,
  describeWith,
  eventually,
  requireDockerEngine,
  requireNetwork,
} from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EngineHost } from '../support/engine-host.ts';
import { eventsOf, kindsOf } from '../support/events.ts';
import { waitForFile } from '../support/faulty-line.ts';

describeWith('an engine killed with -9 and started again', [requireNetwork, requireDockerEngine], () => {
  let host: EngineHost;
  beforeAll(async () => {
    host = await EngineHost.start('dying', await archiveWithoutBash());
  });
  afterAll(() => host.stop());

  const runningAgain = (uuid: string) =>
    eventually('the second attempt', async () => {
      const last = (await eventsOf(host.installation, uuid)).at(-1);
      return last?.kind === 'running' && last.attempt === 2 ? true : undefined;
    });
  const tellsRetry = async (uuid: string) => {
    expect(await kindsOf(host.installation, uuid)).toEqual([
      'assigned',
      'started',
      'running',
      'restaged',
      'assigned',
      'started',
      'running',
      'finished',
    ]);
    const retried = (await eventsOf(host.installation, uuid)).find(({ kind }) => kind === 'restaged');
    expect(retried).toMatchObject({ attempt: 1, worker_id: 'dying' });
    expect(retried?.text).toMatch(
      /^Worker dying could not execute the run: .*(ended from outside|not found).* it is tried again \(1 of 3\)/,
    );
  };
  const nothingLeft = () =>
    eventually('no container left', async () =>
      (await host.engine.containers()).length === 0 ? true : undefined,
    );

  it('runs that ran end ready on a retry, which their history tells', async () => {
    const uuids = [
      await host.running(`echo one; ${waitForFile}`),
      await host.running(`echo two; ${waitForFile}`),
    ];

    await host.engine.kill();
    await host.engine.start();

    for (const [at, uuid] of uuids.entries()) {
      await runningAgain(uuid);
      writeFileSync(join(host.worker.runDirectory(uuid), 'go'), '');
      expect((await host.installation.finished(uuid)).state).toBe('ready');
      expect(await host.installation.ok('cat', `${uuid}/stdout`)).toBe(['one', 'two'][at]);
      await tellsRetry(uuid);
    }
    await nothingLeft();
  });

  it('and its worker too: the next worker learns from the engine what has happened', async () => {
    const uuid = await host.running(`echo both; ${waitForFile}`);

    await Promise.all([host.worker.end('SIGKILL'), host.engine.kill()]);
    await host.engine.start();
    await host.worker.start();

    await runningAgain(uuid);
    writeFileSync(join(host.worker.runDirectory(uuid), 'go'), '');
    expect((await host.installation.finished(uuid)).state).toBe('ready');
    await tellsRetry(uuid);
    await nothingLeft();
  });

  it('what the command does to itself is not tried again', async () => {
    const uuid = await host.installation.ok('run', 'kill -9 $$', '--request-docker-image', host.image);

    expect((await host.installation.finished(uuid)).state).toBe('failed');
    expect(await kindsOf(host.installation, uuid)).not.toContain('restaged');
  });
});
