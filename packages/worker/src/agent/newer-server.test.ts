/* A server of another version: what it says besides what this worker knows is skipped, and nothing is lost by it. */
import type { RunMessage, WorkerMessage } from '@sheaf/wire';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WorkerBench } from '../testing/worker-bench.ts';

let bench: WorkerBench;
beforeEach(async () => {
  bench = await WorkerBench.open();
});
afterEach(() => bench.close());

/** As a server of version 0.1.0 sent it. It never changes. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'recorded/run-message.json'), 'utf8'),
) as RunMessage;
const { uuid } = recorded.bundle;

/** Without its dependency, which the server of this test does not have. */
const run = (bundle: object, more: object = {}): RunMessage => ({
  ...recorded,
  ...more,
  bundle: { ...recorded.bundle, command: 'echo done', dependencies: [], ...bundle },
});

it('an older one is understood', async () => {
  await bench.start();
  bench.server.assign(run({}));

  expect(await bench.finished(uuid)).toMatchObject({ exitcode: 0, epoch: 1 });
});

it('a newer one is understood, as far as it says what is known', async () => {
  await bench.start();
  bench.server.send({ type: 'dance', uuid, steps: 3 } as unknown as WorkerMessage);
  bench.server.assign(
    run(
      { colour: 'green', metadata: { ...recorded.bundle.metadata, mood: ['good'] } },
      { resources: { ...recorded.resources, tentacles: 8 }, urgency: 'high' },
    ),
  );

  expect(await bench.finished(uuid)).toMatchObject({ exitcode: 0 });
});
