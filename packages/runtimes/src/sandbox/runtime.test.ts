import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import { findGroupHost } from '../cgroups/host.ts';
import type { RuntimeHarness } from '../conformance/bench.conformance.ts';
import { testExecution } from '../conformance/execution.conformance.ts';
import { testExec } from '../conformance/exec.conformance.ts';
import { testLifecycle } from '../conformance/lifecycle.conformance.ts';
import { findBubblewrap, findUnshare, type ToolAnswer } from './probe.ts';
import { SandboxRuntime } from './runtime.ts';

describe('the sandbox of bubblewrap', () => testSandbox(findBubblewrap, true));
describe('the sandbox of util-linux', () => testSandbox(findUnshare, true));
describe('the sandbox without control groups', () => testSandbox(findBubblewrap, false));

function testSandbox(find: () => Promise<ToolAnswer>, withGroups: boolean): void {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'sheaf-sandbox-'));
  afterAll(() => rmSync(stateDirectory, { recursive: true }));
  const harness: RuntimeHarness = {
    async open() {
      const answer = await find();
      if (!answer.available) {
        throw new Error(answer.reason);
      }
      const groups = withGroups ? await findGroupHost() : undefined;
      return new SandboxRuntime({
        stateDirectory,
        hide: [],
        tool: answer.tool,
        groups: groups?.available ? groups.host : undefined,
      });
    },
    image: async () => null,
  };
  testLifecycle(harness);
  testExecution(harness);
  testExec(harness);
}
