/* What an engine is asked for: as data, and as it really goes over the wire. */
import { createServer, request, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describeWith, requireDockerEngine, requireRegistry, bareImages } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { never } from '../conformance/bench.conformance.ts';
import type { RunSpecification, Runtime } from '../port.ts';
import { containerBody, type ContainerPlan } from './container.ts';
import { connectDockerRuntime } from './runtime.ts';

function specification(changes: Partial<RunSpecification> = {}): RunSpecification {
  return {
    uuid: '0xa',
    epoch: 1,
    command: 'true',
    image: { id: 'sha256:1', digest: null, size: 0 },
    directory: '/runs/0xa',
    mounts: [],
    environment: {},
    cpuset: [],
    gpus: [],
    memory: 0,
    network: true,
    sharedMemory: 0,
    ...changes,
  };
}

function body(run: Partial<RunSpecification> = {}, changes: Partial<ContainerPlan> = {}) {
  return containerBody({
    specification: specification(run),
    image: 'sha256:1',
    shell: '/bin/bash',
    worker: 'w',
    user: '1000:1001',
    network: 'sheaf_ext',
    processLimit: 100,
    init: true,
    group: undefined,
    engine: { rootless: false, podman: false, nvidiaByDefault: false },
    ...changes,
  }) as { Env: string[]; HostConfig: Record<string, unknown> } & Record<string, unknown>;
}

describe('the container of a run', () => {
  it('has the shell for its entry point and no command of the image', () => {
    expect(body()).toMatchObject({
      Entrypoint: ['/bin/bash', '-c', '( true\n) >stdout 2>stderr'],
      Cmd: [],
      WorkingDir: '/0xa',
      User: '1000:1001',
    });
  });

  it('is kept within its limits, and says nothing about those it has not', () => {
    const limited = { memory: 1000, cpuset: [0, 3], sharedMemory: 5000 };
    expect(body(limited).HostConfig).toMatchObject({
      Memory: 1000,
      CpusetCpus: '0,3',
      ShmSize: 5000,
      PidsLimit: 100,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Init: true,
      NetworkMode: 'sheaf_ext',
    });
    const host = body().HostConfig;
    for (const name of [
      'Memory',
      'MemorySwap',
      'CpusetCpus',
      'ShmSize',
      'DeviceRequests',
      'CgroupParent',
      'NanoCpus',
    ]) {
      expect(host).not.toHaveProperty(name);
    }
  });

  it('gets the GPUs that were chosen for it, by name', () => {
    const { HostConfig, Env } = body({ gpus: ['GPU-1', 'GPU-2'] });

    expect(HostConfig['DeviceRequests']).toEqual([
      { Driver: 'nvidia', DeviceIDs: ['GPU-1', 'GPU-2'], Capabilities: [['gpu']] },
    ]);
    expect(Env).toContain('NVIDIA_VISIBLE_DEVICES=GPU-1,GPU-2');
  });

  it('gets no GPU where it has not asked, also of an engine that gives them to everybody', () => {
    const engine = { rootless: false, podman: false, nvidiaByDefault: true };

    expect(body({}, { engine }).Env).toContain('NVIDIA_VISIBLE_DEVICES=void');
    expect(body().Env.join(' ')).not.toContain('NVIDIA');
  });

  it('is told where it is, whatever the run would rather have', () => {
    const environment = { HOME: '/elsewhere', CODALAB: 'false', NVIDIA_VISIBLE_DEVICES: 'all', LETTER: 'e' };

    expect(body({ environment, gpus: ['GPU-1'] }).Env).toEqual(
      expect.arrayContaining(['HOME=/0xa', 'CODALAB=true', 'NVIDIA_VISIBLE_DEVICES=GPU-1', 'LETTER=e']),
    );
  });
});

describeWith('what goes to the engine', [requireDockerEngine, requireRegistry], () => {
  const asked: { path: string; body: Record<string, unknown> }[] = [];
  let directory: string;
  let proxy: Server;
  let runtime: Runtime;
  let image: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sheaf-engine-'));
    const registry = await requireRegistry();
    image = (await bareImages(registry)).withoutBash;
    proxy = createServer((incoming, answer) => {
      void (async () => {
        const bytes = await buffer(incoming);
        const path = incoming.url ?? '';
        if (path.includes('/containers/create'))
          asked.push({ path, body: JSON.parse(bytes.toString()) as Record<string, unknown> });
        const { method, headers } = incoming;
        const onward = request({ socketPath: '/var/run/docker.sock', path, method, headers }, (response) => {
          answer.writeHead(response.statusCode ?? 500, response.headers);
          answer.flushHeaders();
          response.pipe(answer);
        });
        onward.on('error', () => answer.destroy());
        answer.on('close', () => onward.destroy());
        onward.end(bytes);
      })();
    });
    const socket = join(directory, 'engine.sock');
    await new Promise<void>((resolve) => proxy.listen(socket, resolve));
    runtime = await connectDockerRuntime(
      {
        address: { kind: 'socket', path: socket },
        worker: `asked-${process.pid}`,
        networkPrefix: 'sheaf-test',
      },
      never,
    );
    const prepared = await runtime.prepareImage(image, { signal: never, onProgress: () => undefined });
    image = prepared.id;
    await registry.stop();
  }, 240_000);
  afterAll(async () => {
    await runtime.close();
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
    await rm(directory, { recursive: true });
  });

  it('is a request for GPUs in its own words; an engine without any refuses the run, not the user', async () => {
    const run = specification({
      uuid: `0xff${process.pid}`,
      image: { id: image, digest: null, size: 0 },
      directory,
      gpus: ['GPU-7'],
    });

    const start = runtime.start(run, never);

    await expect(start).rejects.toMatchObject({ name: 'RuntimeError', userError: false });
    expect(asked.at(-1)?.path).toContain(`name=codalab_run_${run.uuid}`);
    expect(asked.at(-1)?.body).toMatchObject({
      HostConfig: {
        DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: ['GPU-7'], Capabilities: [['gpu']] }],
        SecurityOpt: ['no-new-privileges'],
      },
    });
    expect(asked.at(-1)?.body['Env']).toContain('NVIDIA_VISIBLE_DEVICES=GPU-7');
    expect(await runtime.list()).toEqual([]);
  });
});
