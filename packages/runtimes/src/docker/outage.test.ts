import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  describeWith,
  pythonImage,
  requireDockerEngine,
  requireRegistry,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { never } from '../conformance/bench.conformance.ts';
import type { PreparedImage, RunHandle, Runtime } from '../port.ts';
import { Outlet } from './fixtures/outlet.ts';
import { connectDockerRuntime } from './runtime.ts';

describeWith('an engine that goes away', [requireDockerEngine, requireRegistry], () => {
  let directory: string;
  let outlet: Outlet;
  let registry: Registry;
  let image: PreparedImage;
  let direct: Runtime;
  let runtime: Runtime;
  const handles: RunHandle[] = [];
  const worker = `outage-${process.pid}`;
  const options = { worker, networkPrefix: 'sheaf-test' };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sheaf-outage-'));
    registry = await requireRegistry();
    outlet = new Outlet(join(directory, 'engine.sock'));
    await outlet.open();
    const connect = (path: string): Promise<Runtime> =>
      connectDockerRuntime({ ...options, address: { kind: 'socket', path } }, never);
    direct = await connect('/var/run/docker.sock');
    runtime = await connect(outlet.path);
    image = await direct.prepareImage(await pythonImage(registry), {
      signal: never,
      onProgress: () => undefined,
    });
  }, 240_000);
  afterEach(async () => {
    await Promise.all(handles.splice(0).map((handle) => direct.destroy(handle)));
  });
  afterAll(async () => {
    await runtime.close();
    await direct.close();
    await outlet.close();
    await registry.stop();
    await rm(directory, { recursive: true });
  });

  async function start(command: string): Promise<RunHandle> {
    const handle = await runtime.start(
      {
        uuid: `0x${handles.length}${process.pid}`,
        epoch: 1,
        command,
        image,
        directory: await mkdtemp(join(directory, 'run-')),
        mounts: [],
        environment: {},
        cpuset: [],
        gpus: [],
        memory: 0,
        network: false,
        sharedMemory: 0,
      },
      never,
    );
    handles.push(handle);
    return handle;
  }

  it('is waited for, and then tells how the run ended meanwhile', async () => {
    const handle = await start('sleep 0.3; exit 11');
    const exit = runtime.wait(handle, never);

    await outlet.close();
    await direct.wait(handle, never);
    await outlet.open();

    expect(await exit).toMatchObject({ exitCode: 11 });
  });

  it('is waited for, and the run may be gone when it is back', async () => {
    const handle = await start('sleep 600');
    const exit = runtime.wait(handle, never);

    await outlet.close();
    await direct.destroy(handle);
    await outlet.open();

    expect(await exit).toMatchObject({ exitCode: null, message: 'Docker container not found' });
  });

  it('is not waited for longer than the caller likes', async () => {
    const handle = await start('sleep 600');
    const impatient = new AbortController();
    const exit = runtime.wait(handle, impatient.signal);

    await outlet.close();
    impatient.abort(new Error('enough'));

    await expect(exit).rejects.toThrow('enough');
    await outlet.open();
  });
});
