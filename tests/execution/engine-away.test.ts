/* The container engine stops and starts while runs run, with an engine that nobody else uses. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  describeWith,
  eventually,
  pythonArchive,
  requireDockerEngine,
  requireNetwork,
  runProcess,
} from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitForFile } from '../support/faulty-line.ts';
import { EngineHost } from '../support/engine-host.ts';
import { eventsOf } from '../support/events.ts';

describeWith('an engine that is', [requireNetwork, requireDockerEngine], () => {
  let host: EngineHost;
  beforeAll(async () => {
    host = await EngineHost.start('engine', await pythonArchive());
  });
  afterAll(() => host.stop());

  /** Why there was one, once it has run to a good end. */
  const secondAttempt = async (uuid: string) => {
    const again = await eventually('another attempt', async () => {
      const events = await eventsOf(host.installation, uuid);
      const restaged = events.find(({ kind }) => kind === 'restaged');
      return restaged !== undefined && events.at(-1)?.kind === 'running' ? restaged.text : undefined;
    });
    writeFileSync(join(host.worker.runDirectory(uuid), 'go'), '');
    expect((await host.installation.finished(uuid)).state).toBe('ready');
    return again;
  };

  it('stopped: its containers end with it, and the runs say so and are tried again', async () => {
    const uuid = await host.running(`echo begun; ${waitForFile}`);

    await host.engine.stop();
    await host.engine.start();

    expect(await secondAttempt(uuid)).toMatch(/container was ended from outside the run.*container engine/);
    expect(await host.installation.ok('cat', `${uuid}/stdout`)).toBe('begun');
    const next = await host.installation.ok('run', 'echo as before', '--request-docker-image', host.image);
    expect((await host.installation.finished(next)).state).toBe('ready');
  });

  it('away for a while, and its containers are not: runs that run say so, those that come wait for it', async () => {
    await host.engine.stop();
    await host.engine.start({ liveRestore: true });
    const uuid = await host.running(`${waitForFile}; echo over`);
    await host.engine.stop();

    await eventually('words', async () => {
      const { state, metadata } = await host.installation.bundle(uuid);
      const said = /container engine does not answer/.test(String(metadata['run_status']));
      return state === 'running' && said ? true : undefined;
    });
    const waiting = await host.installation.ok('run', 'echo waited', '--request-docker-image', host.image);
    writeFileSync(join(host.worker.runDirectory(uuid), 'go'), '');
    await host.engine.start({ liveRestore: true });

    expect((await host.installation.finished(uuid)).state).toBe('ready');
    expect(await host.installation.ok('cat', `${uuid}/stdout`)).toBe('over');
    expect((await host.installation.finished(waiting)).state).toBe('ready');
  });

  it('stopped by somebody else’s hand: a container that is removed does not keep its run', async () => {
    const uuid = await host.running(waitForFile);
    const ids = await runProcess('docker', ['--host', host.engine.address, 'ps', '--quiet', '--no-trunc']);

    await runProcess('docker', ['--host', host.engine.address, 'rm', '--force', ...ids.trim().split('\n')]);

    expect(await secondAttempt(uuid)).toMatch(/Docker container not found|ended from outside/);
  });
});
