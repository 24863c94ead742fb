import { eventually, ScriptedCluster } from '@sheaf/testkit';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunSpecification } from '../port.ts';
import { connectKubernetesRuntime } from './connect.ts';
import { quantity } from './quantity.ts';
import { runPod } from './run-pod.ts';
import type { KubernetesRuntime } from './runtime.ts';

const never = new AbortController().signal;

describe('runs as pods, before a scripted API server', () => {
  let cluster: ScriptedCluster;
  let runtime: KubernetesRuntime;
  let workDirectory: string;
  let runs = 0;
  const connect = (worker = 'worker 1') => {
    const access = { host: cluster.host, token: cluster.token, certificate: cluster.certificate };
    return connectKubernetesRuntime({ access, worker, workDirectory, node: 'node-1' });
  };
  beforeAll(async () => {
    cluster = await ScriptedCluster.start();
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    workDirectory = mkdtempSync(join(tmpdir(), 'sheaf-pods-'));
    runtime = await connect();
  });
  afterEach(async () => {
    for (const handle of await runtime.list()) await runtime.destroy(handle);
    await runtime.close();
    rmSync(workDirectory, { recursive: true });
  });

  const specification = (command: string, changes: Partial<RunSpecification> = {}): RunSpecification => {
    runs += 1;
    const uuid = `0x${String(runs).padStart(32, '0')}`;
    const directory = join(workDirectory, 'runs', uuid);
    mkdirSync(directory, { recursive: true });
    return {
      uuid,
      epoch: 1,
      command,
      image: { id: 'debian:12', digest: null, size: 0 },
      directory,
      mounts: [],
      environment: { GREETING: 'hello' },
      cpuset: [0],
      gpus: [],
      memory: 1 << 30,
      network: true,
      sharedMemory: 0,
      ...changes,
    };
  };

  it('execute the command in the run directory, and tell how it ended', async () => {
    const run = specification('echo "$GREETING"; exit 7');
    const exit = await runtime.wait(await runtime.start(run, never), never);

    expect(exit).toMatchObject({ exitCode: 7, outOfMemory: false, message: null });
    expect(exit.finishedAt).toBeGreaterThanOrEqual(exit.startedAt ?? Infinity);
    expect(readFileSync(join(run.directory, 'stdout'), 'utf8')).toBe('hello\n');
  });

  it('keep every dollar of the command and of the environment', async () => {
    const environment = { GREETING: 'hello', PRICE: '$$5 $(GREETING)' };
    const run = specification('echo "$PRICE" $(echo in) \'$(GREETING)\'; [ $$ -gt 1 ]', { environment });

    expect((await runtime.wait(await runtime.start(run, never), never)).exitCode).toBe(0);
    expect(readFileSync(join(run.directory, 'stdout'), 'utf8')).toBe('$$5 $(GREETING) in $(GREETING)\n');
  });

  it('are found again by another process of the worker, and by no other worker', async () => {
    const handle = await runtime.start(specification('until [ -e go ]; do sleep 0.02; done'), never);
    const again = await connect();
    const other = await connect('worker 2');

    expect(await again.list()).toEqual([handle]);
    expect(await other.list()).toEqual([]);
    expect(await again.recover(handle)).toMatchObject({ state: 'running' });
    const waiting = again.wait(handle, never);
    await runtime.stop(handle);

    expect((await waiting).exitCode).toBeOneOf([137, null]);
    await again.close();
    await other.close();
  });

  it('that are killed end as killed, and are gone', async () => {
    const handle = await runtime.start(specification('sleep 60'), never);
    const waiting = runtime.wait(handle, never);

    await runtime.stop(handle);

    expect(await waiting).toMatchObject({ exitCode: 137 });
    await runtime.destroy(handle);
    await runtime.destroy(handle);
    expect(await runtime.recover(handle)).toBeUndefined();
  });

  it('whose pod is lost may do better elsewhere', async () => {
    const run = specification('sleep 60');
    const handle = await runtime.start(run, never);
    const waiting = runtime.wait(handle, never);

    await cluster.lose(`codalab-run-${run.uuid}`);

    expect(await waiting).toMatchObject({ exitCode: null, interrupted: true });
  });

  it('whose image cannot be pulled are refused with the words of the cluster, and leave nothing', async () => {
    const run = specification('true', { image: { id: 'missing:1', digest: null, size: 0 } });

    await expect(runtime.start(run, never)).rejects.toThrow(/ImagePullBackOff: Back-off pulling image/);
    expect(cluster.pods.map(({ metadata }) => metadata.name)).not.toContain(`codalab-run-${run.uuid}`);
  });

  it('take the place of what the same attempt has left', async () => {
    const run = specification('echo once');
    await runtime.start({ ...run, command: 'sleep 60' }, never);

    const exit = await runtime.wait(await runtime.start(run, never), never);

    expect(exit.exitCode).toBe(0);
    await expect((await connect('worker 2')).start(run, never)).rejects.toThrow('already exists');
  });

  it('start when the node has room for them', async () => {
    cluster.setRoom(false);
    const starting = runtime.start(specification('true'), never);
    cluster.setRoom(true);

    expect((await runtime.wait(await starting, never)).exitCode).toBe(0);
  });

  it('start once, also where the cluster is away while they wait for room', async () => {
    cluster.setRoom(false);
    const run = specification('echo x >>../count');
    const starting = runtime.start(run, never);
    const isThere = () => cluster.pods.some(({ metadata }) => metadata.name.endsWith(run.uuid));
    await eventually('the pod', () => isThere() || undefined);

    cluster.cut();
    cluster.setRoom(true);

    expect((await runtime.wait(await starting, never)).exitCode).toBe(0);
    expect(readFileSync(join(run.directory, '../count'), 'utf8')).toBe('x\n');
  });

  it('offer what the node has', () => {
    expect(runtime.offers).toEqual({ cpus: 4, gpus: 0, memory: 8 * 1024 ** 3 });
  });
});

it('a pod is asked for what the run asks for, with its files read-only where they are not its own', () => {
  const manifest = runPod({
    specification: {
      uuid: '0x1',
      epoch: 2,
      command: 'true',
      image: null,
      directory: '/worker/runs/0x1',
      mounts: [
        { source: '/worker/cache/a', target: '/0x1/data' },
        { source: '/store/b', target: '/0x1/more' },
      ],
      environment: {},
      cpuset: [4],
      gpus: ['gpu-0', 'gpu-1'],
      memory: 1024,
      network: true,
      sharedMemory: 64,
    },
    image: 'debian:12',
    worker: 'w',
    owner: { uid: 7, gid: 8 },
    workDirectory: '/worker',
    node: 'node-1',
  });

  expect(manifest).toMatchObject({
    metadata: { name: 'codalab-run-0x1-2' },
    spec: {
      restartPolicy: 'Never',
      containers: [
        {
          resources: {
            limits: { cpu: '1', memory: '1024', 'nvidia.com/gpu': '2' },
            requests: { cpu: '0.5', memory: '1024', 'nvidia.com/gpu': '2' },
          },
          securityContext: { runAsUser: 7, runAsGroup: 8, allowPrivilegeEscalation: false },
          volumeMounts: [
            { name: 'path-0', mountPath: '/0x1', readOnly: false, subPath: 'runs/0x1' },
            { name: 'path-0', mountPath: '/0x1/data', readOnly: true, subPath: 'cache/a' },
            { name: 'path-1', mountPath: '/0x1/more', readOnly: true },
            { name: 'shm', mountPath: '/dev/shm' },
          ],
        },
      ],
      volumes: [
        { name: 'path-0', hostPath: { path: '/worker' } },
        { name: 'path-1', hostPath: { path: '/store/b' } },
        { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '64' } },
      ],
    },
  });
});

it.each([
  ['3920m', 3.92],
  ['4', 4],
  ['16Gi', 16 * 1024 ** 3],
  ['32986188Ki', 32_986_188 * 1024],
  ['1e3', 1000],
  ['nonsense', 0],
  [undefined, 0],
])('the quantity %j is %d', (text, expected) => {
  expect(quantity(text)).toBeCloseTo(expected);
});
