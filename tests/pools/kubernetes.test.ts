/* Workers as pods: the real manager and workers, before an API server that speaks the protocol of a cluster. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, ScriptedCluster, startProcess, type StartedProcess } from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root } from '../support/programs.ts';

describe('pools of pods', () => {
  let installation: Installation;
  let cluster: ScriptedCluster;
  let managers: StartedProcess[] = [];
  beforeAll(async () => {
    installation = new Installation('sandbox');
    await installation.startServer();
    cluster = await ScriptedCluster.start();
  });
  afterEach(async () => {
    for (const manager of managers) await manager.stop('SIGKILL');
    managers = [];
    cluster.setRoom(true);
  });
  afterAll(async () => {
    await cluster?.stop();
    await installation?.stop();
  });

  const manager = (tag: string, ...more: string[]) => {
    const { username, password } = JSON.parse(
      readFileSync(join(installation.home, 'administrator.json'), 'utf8'),
    ) as Record<string, string>;
    // A pod gets nothing of this environment: the script stands for what an image would bring.
    const executable = join(root, 'tests/pools/worker-of-image.sh');
    const all = `--server ${installation.url} --min-workers 0 --verbose --sleep-time 0.2 --min-seconds-between-workers 0 --worker-idle-seconds 1 --worker-tag ${tag} --worker-work-dir-prefix ${join(installation.home, tag)} --worker-executable ${executable} ${more.join(' ')}`;
    const pods = [
      '--cluster-host',
      cluster.host,
      '--auth-token',
      cluster.token,
      '--cert',
      cluster.certificate,
    ];
    const child = startProcess(
      join(root, 'bin/cl-worker-manager'),
      [...all.trim().split(/ +/), 'kubernetes', ...pods, '--memory-mb', '1024'],
      {
        env: {
          PATH: process.env['PATH'],
          HOME: installation.home,
          CODALAB_USERNAME: username,
          CODALAB_PASSWORD: password,
        },
      },
    );
    managers.push(child);
    return child;
  };
  const run = (queue: string, command: string) =>
    installation.ok('run', '--request-queue', queue, '--request-memory', '500m', command);

  it('get a worker for a run that waits, and it ends when nothing is left to do', async () => {
    manager('pods');
    const uuid = await run('pods', 'echo "$((6 * 7))"');

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('42');
    const ended = (): boolean => cluster.pods.every(({ status }) => status.phase === 'Succeeded');
    await eventually('the end of the worker', () => ended() || undefined);
    expect(cluster.pods).toHaveLength(1);
  });

  it('are found again by a manager that was killed, while they have no node yet', async () => {
    const before = cluster.pods.length;
    cluster.setRoom(false);
    const uuid = await run('again', 'true');
    const first = manager('again');
    await first.waitForOutput(/job cl-worker-\w+ waits: 0\/1 nodes are available/);
    first.kill('SIGKILL');
    await first.ended;

    expect((await manager('again', '--once').ended).code).toBe(0);
    expect(cluster.pods).toHaveLength(before + 1);

    cluster.setRoom(true);
    expect((await installation.finished(uuid)).state).toBe('ready');
  });

  it('are withdrawn when their run is gone before they have started', async () => {
    cluster.setRoom(false);
    const there = manager('gone');
    const uuid = await run('gone', 'true');
    await there.waitForOutput(/Started job/);

    await installation.ok('kill', uuid);

    await there.waitForOutput(/Withdrew job cl-worker-/);
    await eventually(
      'no pending pod',
      () => cluster.pods.every(({ status }) => status.phase !== 'Pending') || undefined,
    );
  });

  it('get a pod for each run where a worker makes pods', async () => {
    const worker = startProcess(
      join(root, 'bin/cl-worker'),
      [
        ...`--server ${installation.url} --id podder --tag podder --exit-when-idle --idle-seconds 2`.split(
          ' ',
        ),
        ...`--credentials ${installation.home}/administrator.json --work-dir ${installation.home}/podder`.split(
          ' ',
        ),
        ...`--bundle-runtime kubernetes --kubernetes-cluster-host ${cluster.host}`.split(' '),
        '--kubernetes-auth-token',
        cluster.token,
        '--kubernetes-cert',
        cluster.certificate,
      ],
      { env: { PATH: process.env['PATH'], HOME: installation.home, CODALAB_KUBERNETES_NODE_NAME: 'node-1' } },
    );
    managers.push(worker);
    await worker.waitForOutput(/Worker started!/);
    const before = cluster.pods.map(({ metadata }) => metadata.name);
    const words = ['--request-queue', 'podder', '--request-docker-image', 'debian:12', '--request-cpus', '3'];
    const uuid = await installation.ok(
      'run',
      ...words,
      '--',
      'until [ -s go ]; do sleep 0.1; done; cat go; exit 3',
    );
    const { metadata } = await installation.inState(uuid, 'running');
    const pod = cluster.pods.find(({ metadata: { name } }) => !before.includes(name));

    expect(metadata['docker_image'] ?? 'debian:12').toContain('debian:12');
    expect(pod?.metadata.name).toBe(`codalab-run-${uuid}`);
    await installation.ok('write', `${uuid}/go`, 'now');

    const finished = await installation.finished(uuid);
    expect(finished).toMatchObject({ state: 'failed', metadata: { exitcode: 3 } });
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('now');
    await eventually(
      'no pod of the run',
      () => cluster.pods.every(({ metadata: { name } }) => name !== pod?.metadata.name) || undefined,
    );
  });

  it('are refused in words where the token is not accepted', async () => {
    const token = cluster.token;
    const all = `--server ${installation.url} --once kubernetes --cluster-host ${cluster.host} --auth-token not-${token}`;
    const account = readFileSync(join(installation.home, 'administrator.json'), 'utf8');
    const { username, password } = JSON.parse(account) as Record<string, string>;
    const child = startProcess(
      join(root, 'bin/cl-worker-manager'),
      [...all.split(' '), '--cert', cluster.certificate],
      {
        env: { PATH: process.env['PATH'], CODALAB_USERNAME: username, CODALAB_PASSWORD: password },
      },
    );

    expect((await child.ended).code).toBe(1);
    expect(child.output).toContain('The token is not accepted: check --auth-token.');
  });
});
