/* Programs killed with SIGKILL at bad moments: nothing is lost, nothing half-done is visible. */
import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeInContainers, describeInSandbox, type Place } from '../support/both-runtimes.ts';
import { end, Installation } from '../support/installation.ts';

function testWorkerCrash(place: () => Place): void {
  it('a worker killed with -9 while a run runs: the run continues and ends ready', async () => {
    const { installation, flags } = place();
    // The command goes on only when the file appears, which happens after the worker is gone.
    const uuid = await installation.ok(
      'run',
      'echo before; until [ -e go ]; do sleep 0.05; done; echo after; echo done > result',
      ...flags,
    );
    await installation.inState(uuid, 'running');

    await end(installation.worker, 'SIGKILL');
    writeFileSync(join(installation.home, 'worker', 'runs', uuid, 'go'), '');
    await installation.startWorker();

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('ready');
    expect(bundle.metadata['remote_history']).toHaveLength(1);
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('before\nafter');
    expect(await installation.ok('cat', `${uuid}/result`)).toBe('done');
  });

  it('a run that ended while its worker was dead is collected by the next one', async () => {
    const { installation, flags } = place();
    const uuid = await installation.ok(
      'run',
      'echo begun; until [ -e go ]; do sleep 0.05; done; exit 3',
      ...flags,
    );
    await installation.inState(uuid, 'running');
    const directory = join(installation.home, 'worker', 'runs', uuid);

    await end(installation.worker, 'SIGKILL');
    writeFileSync(join(directory, 'go'), '');
    await installation.startWorker();

    const bundle = await installation.finished(uuid);
    expect(bundle.metadata['exitcode']).toBe(3);
    expect(bundle.state).toBe('failed');
  });

  it('the server ended and started again while runs of every stage are there: none is disturbed', async () => {
    const { installation, flags } = place();
    const submit = (command: string, ...more: string[]) => installation.ok('run', command, ...more, ...flags);
    const untilGo = 'until [ -e go ]; do sleep 0.05; done';
    const go = (uuid: string) => writeFileSync(join(installation.home, 'worker', 'runs', uuid, 'go'), '');
    const done = await submit('echo done');
    await installation.finished(done);
    const running = await submit(`${untilGo}; echo through`);
    const ending = await submit(`${untilGo}; echo ended > result`);
    await installation.inState(running, 'running');
    await installation.inState(ending, 'running');
    // One waits for all processors, and one for a worker that is not there.
    const waiting = await submit('echo later', '--request-cpus', String(availableParallelism()));
    const queued = await submit('true', '--request-queue', 'nobody');
    await installation.inState(waiting, 'staged');

    await end(installation.server, 'SIGTERM');
    // It ends, and its results are on their way, while there is no server.
    go(ending);
    await eventually('the worker tries', () =>
      /check-in failed|sent again later/.test(installation.log('worker')) ? true : undefined,
    );
    await installation.startServer();

    expect(await installation.finished(ending)).toMatchObject({ state: 'ready' });
    expect((await installation.bundle(running)).state).toBe('running');
    go(running);
    for (const [uuid, file, text] of [
      [done, 'stdout', 'done'],
      [ending, 'result', 'ended'],
      [waiting, 'stdout', 'later'],
      [running, 'stdout', 'through'],
    ] as const) {
      const bundle = await installation.finished(uuid);
      expect(bundle.state).toBe('ready');
      expect(bundle.metadata['remote_history']).toHaveLength(1);
      expect(await installation.ok('cat', `${uuid}/${file}`)).toBe(text);
    }
    expect((await installation.bundle(queued)).state).toBe('staged');
    await installation.ok('rm', queued);
  });

  it('server and worker killed at once: both come back and the run ends ready', async () => {
    const { installation, flags } = place();
    const uuid = await installation.ok('run', 'until [ -e go ]; do sleep 0.05; done; echo both', ...flags);
    await installation.inState(uuid, 'running');

    await Promise.all([end(installation.worker, 'SIGKILL'), end(installation.server, 'SIGKILL')]);
    writeFileSync(join(installation.home, 'worker', 'runs', uuid, 'go'), '');
    await installation.startServer();
    await installation.startWorker();

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('both');
  });
}

describeInSandbox('with the sandbox', testWorkerCrash);
describeInContainers('with Docker', testWorkerCrash);

describe('the server killed with -9 in the middle of an upload', () => {
  let installation: Installation;
  beforeEach(async () => {
    installation = await Installation.start('sandbox');
  });
  afterEach(() => installation.stop());

  it('shows no contents, keeps its other bundles, and takes the upload again', async () => {
    const kept = await installation.ok('upload', '-c', 'kept');
    const uuid = await createBundle(installation);
    const halfSent = sendHalf(installation, uuid, await installation.token());
    await eventually('half of the upload is on disk', () =>
      temporaryFiles(installation).length > 0 ? true : undefined,
    );

    await end(installation.server, 'SIGKILL');
    await halfSent;
    await installation.startServer();

    const bundle = await installation.bundle(uuid);
    expect(bundle.state).not.toBe('ready');
    expect((await installation.cl(['cat', uuid])).code).toBe(1);
    expect(await installation.ok('cat', kept)).toBe('kept');
    const file = join(installation.home, 'again');
    writeFileSync(file, 'the whole of it');
    const again = await installation.ok('upload', file);
    expect(await installation.ok('cat', again)).toBe('the whole of it');
  });
});

async function createBundle(installation: Installation): Promise<string> {
  const answer = await fetch(`${installation.url}/rest/bundles?detached=1&wait_for_upload=1`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await installation.token()}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      data: [
        {
          type: 'bundles',
          attributes: {
            bundle_type: 'dataset',
            metadata: { name: 'half', description: '', tags: [], license: '', source_url: '' },
          },
        },
      ],
    }),
  });
  const document = (await answer.json()) as { data: { id: string }[] };
  return document.data[0]!.id;
}

/** Sends some megabytes of a body that never ends; resolves when the connection is gone. */
function sendHalf(installation: Installation, uuid: string, token: string): Promise<void> {
  return new Promise((resolve) => {
    const outgoing = request(
      `${installation.url}/rest/bundles/${uuid}/contents/blob/?filename=half&unpack=0`,
      {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}` },
      },
    );
    outgoing.on('error', () => undefined);
    outgoing.on('close', resolve);
    outgoing.write(randomBytes(8 * 1024 * 1024));
  });
}

function temporaryFiles(installation: Installation): string[] {
  return readdirSync(join(installation.home, 'contents', 'temp'));
}
