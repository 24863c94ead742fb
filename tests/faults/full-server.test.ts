/* The disk of the server is full: requests are refused in words, nothing is half done, and it goes on when there is room again. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, eventually, requireNetwork, runProcess } from '@sheaf/testkit';
import type { Resource } from '@sheaf/wire';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { waitForFile } from '../support/faulty-line.ts';
import { end, Installation } from '../support/installation.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

const megabyte = 1024 * 1024;

// Whoever may make networks may mount.
describeWith('a server without room on its disk', [requireNetwork], () => {
  let installation: Installation;
  let worker: WorkerMachine;
  let elsewhere: string;
  beforeAll(async () => {
    elsewhere = mkdtempSync(join(tmpdir(), 'sheaf-elsewhere-'));
    installation = new Installation('sandbox');
    await runProcess('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', installation.home]);
    await installation.startServer();
    worker = await WorkerMachine.start(installation, { id: 'roomy', directory: join(elsewhere, 'work') });
  });
  afterEach(() => makeRoom());
  afterAll(async () => {
    await worker.end();
    await end(installation.server, 'SIGTERM');
    await runProcess('umount', ['--lazy', installation.home]);
    await installation.stop();
    rmSync(elsewhere, { recursive: true, force: true });
  });

  const ballast = () => join(installation.home, 'ballast');
  /** Takes all that is left. */
  function fill(): void {
    const file = openSync(ballast(), 'w');
    const piece = Buffer.alloc(64 * 1024, 'b');
    try {
      for (;;) writeSync(file, piece);
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }
  function makeRoom(): void {
    rmSync(ballast(), { force: true });
  }

  const create = async (description: string) => {
    const attributes = {
      bundle_type: 'dataset',
      metadata: { name: 'full', description, tags: [], license: '', source_url: '' },
    };
    const answer = await fetch(`${installation.url}/rest/bundles?detached=1&wait_for_upload=1`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await installation.token()}`,
        'content-type': 'application/json',
        'x-requested-with': 'XMLHttpRequest',
      },
      body: JSON.stringify({ data: [{ type: 'bundles', attributes }] }),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const named = async (name: string) => {
    const found = await installation.api<{ data: Resource<object>[] }>(
      'GET',
      `/bundles?keywords=name=${name}&keywords=.limit=100000`,
    );
    return found.data.length;
  };

  it('refuses contents in words, and takes them when there is room again', async () => {
    const kept = await installation.ok('upload', '-c', 'kept');
    const large = join(elsewhere, 'large');
    writeFileSync(large, Buffer.alloc(2 * megabyte, 'x'));
    fill();

    const refused = await installation.cl(['upload', large]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/no disk space left/);
    expect(await installation.ok('cat', kept)).toBe('kept');

    makeRoom();
    const uuid = await installation.ok('upload', large);
    expect((await installation.bundle(uuid)).metadata['data_size']).toBe(2 * megabyte);
  });

  it('refuses what the database has no room for, and nothing of it is there', async () => {
    const before = await named('full');
    await installation.token();
    fill();
    const description = 'd'.repeat(100_000);
    let made = 0;
    const refusal = await eventually('a refusal', async () => {
      const answer = await create(description);
      if (answer.status !== 200) return answer;
      made += 1;
      return undefined;
    });

    expect(refusal).toEqual({ status: 507, text: 'The server has no disk space left.' });
    for (let again = 0; again < 5; again += 1) expect((await create(description)).status).toBe(507);
    expect(await named('full')).toBe(before + made);

    makeRoom();
    expect((await create(description)).status).toBe(200);
    expect(await named('full')).toBe(before + made + 1);
  });

  it('loses no run that ends meanwhile', async () => {
    const uuid = await installation.ok('run', `${waitForFile}; head -c 3000000 /dev/zero > zeros; echo over`);
    await installation.inState(uuid, 'running');
    fill();
    writeFileSync(join(worker.runDirectory(uuid), 'go'), '');
    await eventually('a refused upload', () =>
      /the results are sent again later/.test(worker.log) ? true : undefined,
    );

    makeRoom();

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('over');
    const next = await installation.ok('run', 'echo as before');
    expect((await installation.finished(next)).state).toBe('ready');
  });
});
