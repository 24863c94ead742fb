/* With the kernel's own hierarchy of version 2, also where its controllers are all in version 1. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { expect, it } from 'vitest';
import { followGroup } from './last-reading.ts';
import { removeGroup } from './run-group.ts';
import { processorTimeV2 } from './usage.ts';

const root = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((path) =>
  existsSync(join(path, 'cgroup.controllers')),
);
const possible = root !== undefined && process.getuid?.() === 0;

it.runIf(possible)('a group is read at the moment its last process has ended', async () => {
  const group = join(root ?? '', `sheaf-test-${process.pid}`);
  await mkdir(group);
  const script = 'read go; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done';
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] });
  await writeFile(join(group, 'cgroup.procs'), String(child.pid));
  const following = followGroup(group, () => processorTimeV2(group));
  expect(following.last).toBeUndefined();

  child.stdin.end('go\n');
  await once(child, 'exit');

  const last = await eventually('the last reading', () => following.last);
  await removeGroup(group);
  expect(last.cpuUser + last.cpuSystem).toBeGreaterThan(0.005);
  following.stop();
});

it('a group that has gone already is not followed', () => {
  const following = followGroup('/sys/fs/cgroup/there-is-no-such-group', () => Promise.resolve(1));

  expect(following.last).toBeUndefined();
  following.stop();
});
