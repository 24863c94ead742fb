/* A worker whose disk fills up: what becomes of the runs there, and of those that wait. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, runProcess } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitForFile } from '../support/faulty-line.ts';
import { eventsOf } from '../support/events.ts';
import { Installation } from '../support/installation.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

const megabyte = 1024 * 1024;

// Only root may make a file system of a certain size.
describe.skipIf(process.getuid?.() !== 0)('a disk of 64 MB', () => {
  let installation: Installation;
  let worker: WorkerMachine;
  let disk: string;
  beforeAll(async () => {
    installation = new Installation('sandbox');
    await installation.startServer();
    disk = join(installation.home, 'small-disk');
    mkdirSync(disk);
    await runProcess('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]);
    worker = await WorkerMachine.start(installation, { id: 'small', directory: join(disk, 'work') });
  });
  afterAll(async () => {
    await worker.end();
    await runProcess('umount', ['--lazy', disk]);
    await installation.stop();
  });

  it('a command that fills it fails with words; what it wrote is stored, and there is room again', async () => {
    const uuid = await installation.ok('run', 'head -c 100000000 /dev/urandom > big');

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('failed');
    // Its own words found no room any more.
    expect(bundle.metadata['failure_message']).toMatch(/^Exit code 1\. The disk of the worker was full/);
    expect(Number(bundle.metadata['data_size'])).toBeGreaterThan(40 * megabyte);
    const next = await installation.ok('run', 'echo room again');
    expect((await installation.finished(next)).state).toBe('ready');
    expect(await installation.ok('cat', `${next}/stdout`)).toBe('room again');
  });

  it('one that does not notice fails, too', async () => {
    const uuid = await installation.ok('run', 'head -c 100000000 /dev/zero > big; exit 0');

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('failed');
    expect(bundle.metadata['failure_message']).toMatch(/^The disk of the worker was full.*incomplete/);
  });

  it('one that has failed of it is tried again, although there is room when it ends', async () => {
    const files = {
      start: 'until [ -e go ]; do sleep 0.1; done',
      end: 'until [ -e on ]; do sleep 0.1; done',
    };
    const uuid = await installation.ok(
      'run',
      `${files.start}; head -c 1000000 /dev/zero > part || { ${files.end}; exit 1; }; echo whole`,
    );
    await installation.inState(uuid, 'running');
    const directory = worker.runDirectory(uuid);
    const ballast = join(disk, 'ballast');
    writeFileSync(join(directory, 'going'), '');
    await runProcess('sh', ['-c', `head -c 100000000 /dev/zero > ${ballast} 2> /dev/null || true`]);
    renameSync(join(directory, 'going'), join(directory, 'go'));
    const timeOf = async () => Number((await installation.bundle(uuid)).metadata['time'] ?? 0);
    const filled = await timeOf();
    await eventually('some looks at the run', async () => ((await timeOf()) > filled + 3 ? true : undefined));
    rmSync(ballast);
    writeFileSync(join(directory, 'on'), '');

    const again = await eventually('another attempt', async () => {
      const events = await eventsOf(installation, uuid);
      const restaged = events.find(({ kind }) => kind === 'restaged');
      return restaged !== undefined && events.at(-1)?.kind === 'running' ? restaged.text : undefined;
    });
    expect(again).toContain('Exit code 1. The disk of the worker was full');
    writeFileSync(join(worker.runDirectory(uuid), 'go'), '');
    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('whole');
  });

  it('one that suffers from what others have written is done where there is room', async () => {
    const uuid = await installation.ok(
      'run',
      `${waitForFile}; head -c 1000000 /dev/zero > part && echo whole`,
    );
    await installation.inState(uuid, 'running');
    const ballast = join(disk, 'ballast');
    writeFileSync(join(worker.runDirectory(uuid), 'going'), '');
    await runProcess('sh', ['-c', `head -c 100000000 /dev/zero > ${ballast} 2> /dev/null || true`]);
    renameSync(join(worker.runDirectory(uuid), 'going'), join(worker.runDirectory(uuid), 'go'));
    await eventually('an attempt here', () =>
      worker.log.includes('Exit code 1. The disk of the worker was full') ? true : undefined,
    );
    const roomy = await WorkerMachine.start(installation, { id: 'roomy' });
    try {
      await eventually('the other worker', async () => {
        const { state, metadata } = await installation.bundle(uuid);
        return state === 'running' && metadata['remote'] === 'roomy' ? true : undefined;
      });
      writeFileSync(join(roomy.runDirectory(uuid), 'go'), '');
      const bundle = await installation.finished(uuid);
      expect(bundle.state).toBe('ready');
      expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('whole');
    } finally {
      rmSync(ballast);
      await roomy.end();
    }
  });

  it('takes no more runs while it is full, says so, and takes them again', async () => {
    const noticed = () => worker.log.split('the disk of the worker is full').length;
    await eventually('room', () =>
      worker.log.lastIndexOf('there is room') >= worker.log.lastIndexOf('is full') ? true : undefined,
    );
    const before = noticed();
    const busy = await installation.ok('run', waitForFile);
    await installation.inState(busy, 'running');
    const ballast = join(disk, 'ballast');
    writeFileSync(ballast, Buffer.alloc(62 * megabyte));
    await eventually('the worker to notice', () => (noticed() > before ? true : undefined));

    const waiting = await installation.ok('run', 'echo at last');
    const said = await eventually('a reason', async () => {
      const { state, metadata } = await installation.bundle(waiting);
      const text = String(metadata['staged_status']);
      return state === 'staged' && text.includes('disk') ? text : undefined;
    });
    expect(said).toContain('[0 disk (1 requested)]');
    expect(said).toContain('The disk of the worker is full');
    expect((await installation.bundle(busy)).state).toBe('running');

    rmSync(ballast);
    expect((await installation.finished(waiting)).state).toBe('ready');
    writeFileSync(join(worker.runDirectory(busy), 'go'), '');
    expect((await installation.finished(busy)).state).toBe('ready');
  });

  it('a dependency that does not fit: the run goes back, and is done where there is room', async () => {
    const large = join(installation.home, 'large');
    writeFileSync(large, Buffer.alloc(80 * megabyte, 'x'));
    const parent = await installation.ok('upload', large);
    const uuid = await installation.ok('run', `p:${parent}`, 'wc -c < p');
    await eventually('an attempt here', () =>
      worker.log.includes('Failed to download dependency p') ? true : undefined,
    );

    const roomy = await WorkerMachine.start(installation, { id: 'roomy' });
    try {
      expect((await installation.finished(uuid)).state).toBe('ready');
      expect(await installation.ok('cat', `${uuid}/stdout`)).toBe(String(80 * megabyte));
    } finally {
      await roomy.end();
    }
  });
});
