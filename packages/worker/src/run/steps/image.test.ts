/* A run whose image does not come at the first attempt. */
import { ImageError, RuntimeError } from '@sheaf/runtimes';
import { ScriptedRuntime } from '@sheaf/runtimes/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { aRun, runMessageFor } from '../../testing/run-message.ts';
import { changedRuntime, WorkerBench } from '../../testing/worker-bench.ts';

let bench: WorkerBench;
beforeEach(async () => {
  bench = await WorkerBench.open();
});
afterEach(() => bench.close());

/** A runtime whose first answers about an image are failures. */
function failing(times: number, options: { transient: boolean }) {
  const scripted = new ScriptedRuntime(bench.machine);
  const asked = { times: 0 };
  const primary = changedRuntime(scripted, {
    prepareImage: (reference, wishes) => {
      asked.times += 1;
      if (asked.times > times) return scripted.prepareImage(reference, wishes);
      return Promise.reject(new ImageError("Can't download image: the registry is away", options));
    },
  });
  return { asked, runtimes: { primary, fallback: undefined } };
}

it('asks again where that may help, and says why it waits', async () => {
  const { asked, runtimes } = failing(2, { transient: true });
  await bench.start({}, runtimes);

  bench.server.assign(runMessageFor());

  await bench.reported(aRun, 'preparing', ({ run_status: status }) =>
    status.startsWith("Trying again: Can't download image"),
  );
  expect(await bench.finished(aRun)).toMatchObject({ exitcode: 0, failure_message: null });
  expect(asked.times).toBe(3);
});

it('gives up after as many attempts as the owner wants', async () => {
  const { asked, runtimes } = failing(9, { transient: true });
  await bench.start({ downloadAttempts: 2 }, runtimes);

  bench.server.assign(runMessageFor());

  expect((await bench.finished(aRun)).failure_message).toBe(
    "Failed to download Docker image: Can't download image: the registry is away",
  );
  expect(asked.times).toBe(2);
});

it('gets an image again that somebody removed before the command could start', async () => {
  const scripted = new ScriptedRuntime(bench.machine);
  const asked = { images: 0, starts: 0 };
  const primary = changedRuntime(scripted, {
    prepareImage: (reference, wishes) => {
      asked.images += 1;
      return scripted.prepareImage(reference, wishes);
    },
    start: (run, signal) => {
      asked.starts += 1;
      if (asked.images > 1) return scripted.start(run, signal);
      return Promise.reject(new RuntimeError('no such image', { userError: false, imageGone: true }));
    },
  });
  await bench.start({}, { primary, fallback: undefined });

  bench.server.assign(runMessageFor());

  expect(await bench.finished(aRun)).toMatchObject({ exitcode: 0, failure_message: null });
  expect(asked).toEqual({ images: 2, starts: 2 });
});

it('asks once for what there is not', async () => {
  const { asked, runtimes } = failing(9, { transient: false });
  await bench.start({}, runtimes);

  bench.server.assign(runMessageFor());

  expect((await bench.finished(aRun)).failure_message).toMatch(/^Failed to download Docker image/);
  expect(asked.times).toBe(1);
});
