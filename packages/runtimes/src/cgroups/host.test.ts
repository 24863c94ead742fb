/* Where groups can be made, on directories laid out as the kernel has them. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findGroupHost } from './host.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-cgroups-'));
});
afterEach(() => rm(root, { recursive: true }));

/** The kernel makes a group's files with the group; here they are there before. */
async function unified(path: string, controllers: string, enabled: string): Promise<void> {
  await mkdir(join(root, path), { recursive: true });
  await writeFile(join(root, path, 'cgroup.controllers'), `${controllers}\n`);
  await writeFile(join(root, path, 'cgroup.subtree_control'), `${enabled}\n`);
  await writeFile(join(root, path, 'cgroup.procs'), '');
}

describe('with control groups of version 2', () => {
  it('groups are made below the topmost one whose memory can be handed on', async () => {
    await unified('', 'cpuset cpu memory pids', 'cpu memory pids cpuset');
    await unified('sheaf', 'cpuset memory pids', 'memory pids cpuset');

    expect(await findGroupHost(root)).toEqual({
      available: true,
      host: { version: 2, base: join(root, 'sheaf') },
    });
  });

  it('controllers that are not handed on yet are, one by one, and only those that there are', async () => {
    await unified('', 'memory pids', 'memory');
    await unified('sheaf', 'memory pids', 'memory');
    await findGroupHost(root);

    // The kernel adds what is written; a plain file keeps the last words.
    expect(await readFile(join(root, 'cgroup.subtree_control'), 'utf8')).toMatch(/^\+pids/);
    expect(await readFile(join(root, 'sheaf/cgroup.subtree_control'), 'utf8')).toMatch(/^\+pids/);
  });

  it('without the memory controller there is no place, and it is said why', async () => {
    await unified('', 'pids', 'pids');
    await unified('sheaf', 'pids', 'pids');
    // What the kernel removes with a group.
    await rm(join(root, 'sheaf'), { recursive: true });

    const answer = await findGroupHost(root);

    expect(answer).toMatchObject({ available: false });
    expect(answer.available ? '' : answer.reason).toMatch(/^no control group can be made for runs/);
    expect(existsSync(join(root, 'sheaf'))).toBe(false);
  });
});
