import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  describeWith,
  pythonImage,
  requireDockerEngine,
  requireRegistry,
  requireRunc,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll } from 'vitest';
import { never, type RuntimeHarness } from '../conformance/bench.conformance.ts';
import { testExecution } from '../conformance/execution.conformance.ts';
import { testExec } from '../conformance/exec.conformance.ts';
import { testLifecycle } from '../conformance/lifecycle.conformance.ts';
import type { PreparedImage } from '../port.ts';
import { connectRuncRuntime } from './connect.ts';

const worker = `conformance-${process.pid}`;
const quietly = { signal: never, onProgress: () => undefined };

describeWith('the runc runtime', [requireRunc, requireDockerEngine, requireRegistry], () => {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-runc-'));
  let registry: Registry;
  let python: PreparedImage;
  const harness: RuntimeHarness = {
    open: () => connectRuncRuntime({ directory, worker }),
    async image(runtime) {
      python ??= await runtime.prepareImage(await pythonImage(registry), quietly);
      return python;
    },
  };
  beforeAll(async () => {
    registry = await requireRegistry();
  }, 240_000);
  afterAll(async () => {
    await registry.stop();
    rmSync(directory, { recursive: true });
  });

  testLifecycle(harness);
  testExecution(harness);
  testExec(harness);
});
