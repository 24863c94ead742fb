import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  describeWith,
  eventually,
  pythonImage,
  requireDockerEngine,
  requireRegistry,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchFor, never, type RuntimeHarness } from '../conformance/bench.conformance.ts';
import { testLifecycle } from '../conformance/lifecycle.conformance.ts';
import type { PreparedImage, Runtime } from '../port.ts';
import { Outlet } from './fixtures/outlet.ts';
import { connectDockerRuntime } from './runtime.ts';

describeWith("the engine's events", [requireDockerEngine, requireRegistry], () => {
  let directory: string;
  let registry: Registry;
  let image: PreparedImage;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sheaf-events-'));
    registry = await requireRegistry();
  }, 240_000);
  afterAll(async () => {
    await registry.stop();
    await rm(directory, { recursive: true });
  });

  function harness(outlet: () => Outlet, worker: string): RuntimeHarness {
    return {
      open: () =>
        connectDockerRuntime(
          {
            address: { kind: 'socket', path: outlet().path },
            worker: `${worker}-${process.pid}`,
            networkPrefix: 'sheaf-test',
          },
          never,
        ),
      async image(runtime: Runtime) {
        image ??= await runtime.prepareImage(await pythonImage(registry), {
          signal: never,
          onProgress: () => undefined,
        });
        return image;
      },
    };
  }

  function outletFor(name: string, refuses: RegExp | undefined): () => Outlet {
    let outlet: Outlet;
    beforeAll(async () => {
      outlet = new Outlet(join(directory, `${name}.sock`));
      outlet.refuses = refuses;
      await outlet.open();
    });
    afterAll(() => outlet.close());
    return () => outlet;
  }

  describe('alone', () => {
    const outlet = outletFor('deaf', /^POST \S*\/wait/);
    const bench = benchFor(harness(outlet, 'events'));

    it('tell how a run ended, and when', async () => {
      const before = Date.now();
      const { exit, stdout } = await bench.run('echo done');
      const after = Date.now();

      expect(exit).toMatchObject({ exitCode: 0, outOfMemory: false, message: null });
      expect(exit.startedAt).toBeGreaterThanOrEqual(before);
      expect(exit.finishedAt).toBeGreaterThanOrEqual(exit.startedAt ?? Infinity);
      expect(exit.finishedAt).toBeLessThanOrEqual(after);
      expect(stdout).toBe('done\n');
    });

    it('tell each time that memory was the cause', { timeout: 60_000 }, async () => {
      for (let round = 0; round < 10; round += 1) {
        const { exit } = await bench.run('exec tail /dev/zero', { memory: 40 << 20 });

        expect(exit).toMatchObject({ exitCode: 137, outOfMemory: true });
      }
    });

    it('let a run be destroyed at once, by several, again and again', { timeout: 60_000 }, async () => {
      const specification = await bench.specification('true');
      for (let round = 0; round < 10; round += 1) {
        const handle = await bench.start(specification);
        await bench.runtime.wait(handle, never);

        await Promise.all([1, 2, 3].map(() => bench.runtime.destroy(handle)));

        expect(await bench.runtime.recover(handle)).toBeUndefined();
        expect(await bench.runtime.list()).toEqual([]);
      }
    });

    it('are listened to again when the engine is back', { timeout: 60_000 }, async () => {
      await outlet().close();
      await outlet().open();

      const exit = await eventually('run whose end was told', async () => {
        const handle = await bench.start(await bench.specification('true'));
        return bench.runtime.wait(handle, AbortSignal.timeout(1_000)).catch(() => undefined);
      });

      expect(exit).toMatchObject({ exitCode: 0 });
    });
  });

  describe('missing', () => {
    testLifecycle(harness(outletFor('silent', /^GET \S*\/events/), 'no-events'));
  });
});
