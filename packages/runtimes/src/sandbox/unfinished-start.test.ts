/* A sandbox whose maker gives up half-way: its start fails, and what was made of it does not hold the start up. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SandboxRuntime } from './runtime.ts';

it('fails to start when its maker ends and leaves somebody who holds every pipe', async () => {
  const home = await mkdtemp(join(tmpdir(), 'sheaf-unfinished-'));
  const [stateDirectory, directory] = [join(home, 'state'), join(home, 'run')];
  let remainder: number | undefined;
  try {
    await mkdir(stateDirectory);
    await mkdir(directory);
    const runtime = new SandboxRuntime({
      stateDirectory,
      hide: [],
      tool: {
        name: 'bubblewrap',
        description: 'a tool that gives up',
        command: () => ['/bin/sh', '-c', 'sleep 600 & echo "left $!"; exit 1'],
      },
      groups: undefined,
    });
    const started = runtime.start(
      {
        uuid: `0x${'5b'.repeat(16)}`,
        epoch: 1,
        command: 'true',
        image: null,
        directory,
        mounts: [],
        environment: {},
        cpuset: [],
        gpus: [],
        memory: 0,
        network: false,
        sharedMemory: 0,
      },
      new AbortController().signal,
    );
    const failure = await started.then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    remainder = Number(/left (\d+)/.exec(failure ?? '')?.[1]);
    expect(failure).toMatch(/could not be started: left \d+/);
    expect(await runtime.list()).toEqual([]);
  } finally {
    if (remainder !== undefined && remainder > 0) process.kill(remainder, 'SIGKILL');
    await rm(home, { recursive: true, force: true });
  }
});
