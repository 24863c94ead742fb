/* Messages as a server may send them: twice, late, about strangers, or not to be understood. */
import { ScriptedRuntime } from '@sheaf/runtimes/testing';
import { eventually } from '@sheaf/testkit';
import type { WorkerMessage } from '@sheaf/wire';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aRun, runMessageFor } from '../testing/run-message.ts';
import { changedRuntime, WorkerBench } from '../testing/worker-bench.ts';

let bench: WorkerBench;
beforeEach(async () => {
  bench = await WorkerBench.open();
});
afterEach(() => bench.close());

const acknowledged = () =>
  eventually('acknowledgements', () => (bench.server.undelivered === 0 ? true : undefined));

describe('a run', () => {
  it('that is assigned twice is executed once', async () => {
    await bench.start();
    const message = runMessageFor({ command: 'echo once; sleep 0.3' });
    bench.server.assign(message);
    bench.server.assign(message);
    await bench.reported(aRun, 'running');
    bench.server.assign(message);

    await bench.finished(aRun);

    expect(await bench.server.results(aRun)).toMatchObject({ stdout: 'once\n' });
    expect(bench.server.requests.filter((request) => request.includes('start_bundle'))).toHaveLength(1);
    await acknowledged();
  });

  it('that is not granted is not executed', async () => {
    await bench.start();
    bench.server.send(runMessageFor());

    await acknowledged();

    expect(bench.server.reportsOf(aRun)).toEqual([]);
    expect(bench.hasTraces(aRun)).toBe(false);
  });

  it('is asked for again when the answer was lost', async () => {
    await bench.start();
    let lost = 0;
    bench.server.intercept = (path, request) => {
      if (!path.includes('/start_bundle/') || lost > 0) return false;
      lost += 1;
      request.socket.destroy();
      return true;
    };
    bench.server.assign(runMessageFor());

    expect((await bench.finished(aRun)).exitcode).toBe(0);
    expect(lost).toBe(1);
  });

  it('of an older attempt is ignored while a newer one is here', async () => {
    await bench.start();
    bench.server.assign(runMessageFor({ epoch: 2, command: 'echo new; sleep 0.3' }));
    await bench.reported(aRun, 'running');
    bench.server.send(runMessageFor({ epoch: 1, command: 'echo old' }));

    await bench.finished(aRun);

    expect(await bench.server.results(aRun)).toMatchObject({ stdout: 'new\n' });
  });

  it('of a newer attempt takes the place of an older one, of which nothing more is heard', async () => {
    await bench.start();
    bench.server.assign(runMessageFor({ epoch: 1, command: 'echo old; sleep 60' }));
    await bench.reported(aRun, 'running');
    bench.server.assign(runMessageFor({ epoch: 2, command: 'echo new' }));

    const last = await bench.finished(aRun);

    expect(last).toMatchObject({ epoch: 2, exitcode: 0 });
    expect(await bench.server.results(aRun)).toEqual({ stdout: 'new\n', stderr: '' });
    expect(
      bench.server.reportsOf(aRun).filter(({ epoch, state }) => epoch === 1 && state === 'finalizing'),
    ).toEqual([]);
  });

  it('of a newer attempt comes when the older one has not been finalized', async () => {
    bench.server.finalizes = false;
    await bench.start();
    bench.server.assign(runMessageFor({ epoch: 1, command: 'echo old' }));
    await bench.reported(aRun, 'finalizing');
    bench.server.assign(runMessageFor({ epoch: 2, command: 'echo new' }));

    await bench.reported(aRun, 'finalizing', ({ epoch }) => epoch === 2);

    expect(await bench.server.results(aRun)).toEqual({ stdout: 'new\n', stderr: '' });
  });
});

it('goes on checking in while an earlier attempt takes its time to leave', async () => {
  const scripted = new ScriptedRuntime(bench.machine);
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const primary = changedRuntime(scripted, {
    stop: async (handle) => {
      await released;
      await scripted.stop(handle);
    },
  });
  await bench.start({}, { primary, fallback: undefined });
  bench.server.assign(runMessageFor({ epoch: 1, command: 'sleep 60' }));
  await bench.reported(aRun, 'running');

  bench.server.assign(runMessageFor({ epoch: 2, command: 'echo new' }));
  // The new attempt is the worker's already, and can be killed, although the old one is not dead yet.
  await bench.reported(aRun, 'preparing', ({ epoch }) => epoch === 2);
  await acknowledged();
  bench.server.send({ type: 'kill', uuid: aRun, kill_message: 'Kill requested: both' });
  await acknowledged();
  release();

  expect(await bench.finished(aRun)).toMatchObject({ epoch: 2, failure_message: 'Kill requested: both' });
});

describe('other messages', () => {
  it('about runs that are not here do no harm', async () => {
    await bench.start();
    bench.server.send({ type: 'kill', uuid: aRun });
    bench.server.send({ type: 'mark_finalized', uuid: aRun });
    bench.server.send({ type: 'write', uuid: aRun, subpath: 'x', string: 'y' });
    bench.server.send({
      type: 'read',
      uuid: aRun,
      socket_id: 1,
      path: '',
      read_args: { type: 'get_target_info', depth: 1 },
    });
    await acknowledged();

    const reply = await eventually('reply', () => bench.server.replies.get(1));

    expect(reply.value).toEqual({ error_code: 500, error_message: 'Bundle no longer running' });
  });

  it('that nobody understands are skipped, and the others are not', async () => {
    await bench.start();
    bench.server.send({ type: 'upgrade', uuid: aRun } as unknown as WorkerMessage);
    bench.server.send({ type: 'read', uuid: aRun } as unknown as WorkerMessage);
    bench.server.assign(runMessageFor());

    expect((await bench.finished(aRun)).exitcode).toBe(0);
    await acknowledged();
  });

  it('mark_finalized too early does not end a run', async () => {
    await bench.start();
    bench.server.assign(runMessageFor({ command: 'echo a; sleep 0.3; echo b' }));
    await bench.reported(aRun, 'running');

    bench.server.send({ type: 'mark_finalized', uuid: aRun });

    expect((await bench.finished(aRun)).exitcode).toBe(0);
    expect(await bench.server.results(aRun)).toMatchObject({ stdout: 'a\nb\n' });
  });

  it('write is done once, however often it comes', async () => {
    await bench.start();
    bench.server.assign(runMessageFor({ command: 'sleep 60' }));
    await bench.reported(aRun, 'running');
    // Acknowledgements get lost on the way: the server says it again.
    const write: WorkerMessage = {
      type: 'write',
      uuid: aRun,
      subpath: 'note',
      string: 'first',
      message_id: 1000,
    };
    bench.server.intercept = (path, request, response) => {
      if (!path.endsWith('/checkin') && !path.endsWith('/report')) return false;
      request.resume();
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify([write, { ...write, string: 'second' }]));
      return true;
    };
    const note = () => readFileSync(join(bench.runDirectory(aRun), 'note'), 'utf8');
    bench.server.send({ type: 'kill', uuid: `0x${'f'.repeat(32)}` });
    const before = bench.server.requests.length;
    await eventually('several answers', () => (bench.server.requests.length > before + 4 ? true : undefined));

    expect(note()).toBe('first');
  });
});
