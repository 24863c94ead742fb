import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, requireApptainer } from '@sheaf/testkit';
import { afterAll, beforeAll } from 'vitest';
import type { RuntimeHarness } from '../conformance/bench.conformance.ts';
import { testExecution } from '../conformance/execution.conformance.ts';
import { testExec } from '../conformance/exec.conformance.ts';
import { testLifecycle } from '../conformance/lifecycle.conformance.ts';
import type { PreparedImage } from '../port.ts';
import { fillStore } from '../runc/fixtures/filled-store.ts';
import { connectApptainerRuntime } from './connect.ts';

const worker = `conformance-${process.pid}`;

describeWith('the Apptainer runtime', [requireApptainer], () => {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-apptainer-'));
  let python: PreparedImage;
  const harness: RuntimeHarness = {
    open: async () => connectApptainerRuntime({ directory, worker, program: await requireApptainer() }),
    image: () => Promise.resolve(python),
  };
  beforeAll(async () => {
    python = await fillStore(directory);
  }, 240_000);
  afterAll(() => rmSync(directory, { recursive: true }));

  testLifecycle(harness);
  testExecution(harness);
  testExec(harness);
});
