/* The history of runs, as users see it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import type { BundleEvent } from '@sheaf/wire';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitForFile } from '../support/faulty-line.ts';
import { end, Installation } from '../support/installation.ts';
import { root } from '../support/programs.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await Installation.start('sandbox');
});
afterAll(() => installation.stop());

const go = (uuid: string) => writeFileSync(join(installation.home, 'worker', 'runs', uuid, 'go'), '');

it('cl events tells a life in a table, and as JSON; cl info the end of it', async () => {
  const uuid = await installation.ok('run', 'sleep 0.5; exit 3');
  await installation.finished(uuid);

  const lines = (await installation.ok('events', uuid)).split('\n');
  expect(lines[0]).toMatch(/^time +attempt +worker +what$/);
  expect(lines.slice(2).map((line) => line.replace(/^\S+ \S+ +/, ''))).toEqual([
    expect.stringMatching(/^1 +local \(.+\) +Given to worker local, which is asked to begin\.$/),
    expect.stringMatching(/^1 +local \(.+\) +Worker local has begun: it fetches what the run needs\.$/),
    expect.stringMatching(/^1 +local \(.+\) +The command runs on worker local in the sandbox\.$/),
    expect.stringMatching(/^1 +local \(.+\) +The run failed: Exit code 3\.$/),
  ]);
  const events = JSON.parse(await installation.ok('events', '--json', uuid)) as BundleEvent[];
  expect(events.map(({ kind }) => kind)).toEqual(['assigned', 'started', 'running', 'failed']);
  const short = await installation.ok('info', uuid);
  expect(short).toMatch(
    /history:\n {2}… 1 earlier: see `cl events`\n(?: {2}.*\n){2} {2}.*The run failed: Exit code 3\./,
  );
  expect(await installation.ok('info', '-v', uuid)).toContain('Given to worker local');
});

it('cl events -f tells it as it happens, and who ended it', async () => {
  const uuid = await installation.ok('run', waitForFile);
  await installation.inState(uuid, 'running');
  const followed = spawn(process.execPath, [join(root, 'bin/cl'), 'events', '-f', uuid], {
    env: { PATH: process.env['PATH'], SHEAF_HOME: installation.home, CODALAB_SESSION: 'test' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  followed.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await eventually('what has happened', () => /The command runs/.test(printed) || undefined);

  await installation.ok('kill', uuid);
  const [code] = (await once(followed, 'close')) as [number];

  expect(code).toBe(0);
  expect(printed).toMatch(
    /codalab asked for the end of the run; its worker is told\.\n.*The run was stopped: Kill requested\.\n$/,
  );
});

it('a worker that was away for a moment is nothing that anybody need know', async () => {
  const uuid = await installation.ok('run', waitForFile);
  await installation.inState(uuid, 'running');
  await end(installation.worker, 'SIGKILL');
  await installation.startWorker();
  go(uuid);
  await installation.finished(uuid);

  expect(
    (JSON.parse(await installation.ok('events', '--json', uuid)) as BundleEvent[]).map(({ kind }) => kind),
  ).toEqual(['assigned', 'started', 'running', 'finished']);
});

it('a worker told to drain finishes what it has, leaves what comes to others, and ends with code 0', async () => {
  const worker = await WorkerMachine.start(installation, {
    id: 'draining',
    flags: ['--tag', 'drain', '--tag-exclusive'],
  });
  const kept = await installation.ok('run', '--request-queue', 'drain', `${waitForFile}; echo kept`);
  await installation.inState(kept, 'running');
  const ended = once(worker.process ?? process, 'exit') as Promise<[number]>;

  worker.process?.kill('SIGUSR1');

  await eventually('its row', async () => {
    const rows = await installation.ok('workers', '-v');
    const row = rows.split('\n').find((line) => line.startsWith('draining ') && line.includes('True'));
    return row?.includes(kept.slice(0, 8)) === true &&
      rows.includes('takes no more runs and ends after those it has')
      ? true
      : undefined;
  });
  const late = await installation.ok('run', '--request-queue', 'drain', 'echo late');
  expect((await installation.inState(late, 'staged')).metadata['staged_status']).toBeDefined();
  const heir = await WorkerMachine.start(installation, {
    id: 'heir',
    flags: ['--tag', 'drain', '--tag-exclusive'],
  });
  expect(await installation.finished(late)).toMatchObject({ state: 'ready', metadata: { remote: 'heir' } });
  expect((await installation.bundle(kept)).state).toBe('running');
  writeFileSync(join(worker.runDirectory(kept), 'go'), '');

  expect(await ended).toEqual([0, null]);
  expect(await installation.finished(kept)).toMatchObject({
    state: 'ready',
    metadata: { remote: 'draining' },
  });
  await heir.end();
  const workers = await installation.ok('workers');
  expect(workers).not.toContain('draining');
  expect(worker.log).not.toContain('Debugger');
});
