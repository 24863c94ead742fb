import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, requireApptainer } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchFor, type RuntimeHarness } from '../conformance/bench.conformance.ts';
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

  describe('network access', () => {
    const bench = benchFor(harness);

    it('is that of the host, with its names; a port is reached where the run listens on it', async () => {
      const server =
        'import http.server as h; s = h.HTTPServer(("127.0.0.1", 0), h.SimpleHTTPRequestHandler)';
      const specification = await bench.specification(
        `cat /etc/hosts; python3 -c '${server}; print("port", s.server_port, flush=True); s.serve_forever()'`,
        { network: true },
      );
      const handle = await bench.start(specification);
      await bench.untilSays(specification, 'port');
      const { stdout } = await bench.output(specification);
      const [names, port] = stdout.split('port ');

      expect(names).toBe(readFileSync('/etc/hosts', 'utf8'));
      expect(await bench.runtime.reach(handle, Number(port))).toEqual({
        host: '127.0.0.1',
        port: Number(port),
      });
      expect(await bench.runtime.reach(handle, Number(port) + 1)).toBeUndefined();
    });
  });
});
