import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findGroupHost } from '../cgroups/host.ts';
import { forkMany, RunBench } from '../conformance/bench.conformance.ts';
import { findBubblewrap } from './probe.ts';
import { SandboxRuntime } from './runtime.ts';

const processLimit = 30;
/** Without control groups the kernel counts all processes of a user: nobody's may be those of other runs on this machine. */
const user = { uid: 54_321, gid: 54_321 };

describe.each([true, false])('a sandbox with control groups: %s', (withGroups) => {
  it('keeps a run from having more processes than it may', async () => {
    const stateDirectory = await mkdtemp(join(tmpdir(), 'sheaf-sandbox-'));
    const { tool, groups } = await parts(withGroups);
    const bench = new RunBench();
    bench.runtime = new SandboxRuntime({ stateDirectory, hide: [], tool, groups, processLimit, user });

    const { stdout } = await bench.run(forkMany);

    await bench.clear();
    await rm(stateDirectory, { recursive: true });
    expect(stdout).toMatch(/^\d+\n$/);
    expect(Number(stdout)).toBeLessThan(processLimit);
  });
});

async function parts(withGroups: boolean) {
  const answer = await findBubblewrap();
  if (!answer.available) throw new Error(answer.reason);
  const groups = withGroups ? await findGroupHost() : undefined;
  return { tool: answer.tool, groups: groups?.available ? groups.host : undefined };
}
