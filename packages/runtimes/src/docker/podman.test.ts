import { describeWith, pythonArchive, requirePodman, type Podman } from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { benchFor, never, type RuntimeHarness } from '../conformance/bench.conformance.ts';
import { testExecution } from '../conformance/execution.conformance.ts';
import { testExec } from '../conformance/exec.conformance.ts';
import { testLifecycle } from '../conformance/lifecycle.conformance.ts';
import { connectDockerRuntime } from './runtime.ts';

const worker = `conformance-${process.pid}`;
const quietly = { signal: never, onProgress: () => undefined };

describeWith('the Podman runtime', [requirePodman], () => {
  let podman: Podman;
  let image: string;
  const harness: RuntimeHarness = {
    open: () => connectDockerRuntime({ address: { kind: 'socket', path: podman.socketPath }, worker }, never),
    image: (runtime) => runtime.prepareImage(image, quietly),
  };
  beforeAll(async () => {
    podman = await requirePodman();
    image = await podman.importImage(await pythonArchive(), 'localhost/sheaf-test/python', '1');
  }, 240_000);
  afterAll(() => podman.stop());

  testLifecycle(harness);
  testExecution(harness);
  testExec(harness);

  const bench = benchFor(harness);

  it('has a name of its own, and says what it does not do', () => {
    expect(bench.runtime.name).toBe('podman');
    expect(bench.runtime.description).toMatch(
      /^Podman \d.*runs with network access can reach each other, this host and cloud metadata services/,
    );
  });
});
