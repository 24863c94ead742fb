/* One run on every runtime that has images: the same image, by the same digest, and the same files in the end. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import {
  bareImages,
  describeWith,
  eventually,
  requireApptainer,
  requireDockerEngine,
  requirePodman,
  requireRegistry,
  requireRunc,
  startPodman,
  type Podman,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { run } from '../support/programs.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

const runtimes = ['docker', 'podman', 'runc', 'apptainer'] as const;

const needs = [requireDockerEngine, requireRegistry, requirePodman, requireRunc, requireApptainer];
describeWith('a run on docker, podman, runc and Apptainer', needs, () => {
  let registry: Registry;
  let podman: Podman;
  let installation: Installation;
  let image: string;
  let directory: string;
  const workers = new Map<string, WorkerMachine>();

  beforeAll(async () => {
    registry = await requireRegistry();
    image = (await bareImages(registry)).withOpinions;
    podman = await startPodman([registry.address]);
    directory = mkdtempSync(join(tmpdir(), 'sheaf-runtimes-'));
    installation = new Installation('docker');
    await installation.startServer();
    await Promise.all(runtimes.map(startWorker));
  }, 240_000);
  afterAll(async () => {
    await Promise.all([...workers.values()].map((worker) => worker.end()));
    await installation.stop();
    await podman.stop();
    await registry.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function startWorker(runtime: (typeof runtimes)[number]): Promise<void> {
    const environment = await environmentOf(runtime);
    const flags = ['--tag', runtime, '--tag-exclusive'];
    const options = { id: runtime, runtime, flags, environment };
    workers.set(runtime, await WorkerMachine.start(installation, options));
  }

  async function environmentOf(runtime: (typeof runtimes)[number]): Promise<Record<string, string>> {
    if (runtime === 'podman') return { DOCKER_HOST: `unix://${podman.socketPath}` };
    if (runtime !== 'apptainer') return {};
    return { PATH: `${dirname(await requireApptainer())}${delimiter}${process.env['PATH'] ?? ''}` };
  }

  function start(runtime: string, command: string, ...words: string[]): Promise<string> {
    const flags = ['--request-queue', runtime, '--request-docker-image', image];
    return installation.ok('run', ...flags, ...words, command);
  }

  /** Everything about every file of a bundle that is not when it was made, or by whom. */
  async function treeOf(uuid: string, name: string): Promise<string> {
    const target = join(directory, name);
    await installation.ok('download', uuid, '-o', target);
    const words = [
      '.',
      '-not',
      '-name',
      'who',
      '-printf',
      '%P %y %m %s %l\n',
      '-type',
      'f',
      '-exec',
      'sha256sum',
      '{}',
      ';',
    ];
    const { stdout } = await run('find', words, { cwd: target });
    return stdout.split('\n').toSorted().join('\n');
  }

  it('leaves the same files, and says by what it was executed and in which image', async () => {
    const source = join(directory, 'corpus');
    mkdirSync(source);
    writeFileSync(join(source, 'letter'), 'dear run');
    const corpus = await installation.ok('upload', source);
    const command = [
      'busybox=/bin/busybox; $busybox mkdir -p made/deep; echo $COLOR $HOME | $busybox sed "s/0x[0-9a-f]*/UUID/" >made/told',
      'cat corpus/letter >made/deep/copy; $busybox chmod 755 made/deep/copy; $busybox chmod 600 made/told',
      '$busybox ln made/told made/second; $busybox ln -s deep/copy made/link; $busybox ln -s /nowhere made/broken',
      ': >made/empty; $busybox mkdir made/nothing; id -u >made/who; echo wrong >&2; echo $$ >/dev/null; exit 3',
    ].join('\n');

    const uuids = await Promise.all(runtimes.map((runtime) => start(runtime, command, `corpus:${corpus}`)));
    const ends = await Promise.all(uuids.map((uuid) => installation.finished(uuid)));
    const trees = await Promise.all(uuids.map((uuid, index) => treeOf(uuid, String(index))));

    const who = await Promise.all(uuids.map((uuid) => installation.cl(['cat', `${uuid}/made/who`])));

    expect(ends.map(({ metadata }) => metadata['exitcode'])).toEqual([3, 3, 3, 3]);
    expect(trees[0]).toContain('made/link l 777');
    expect(trees[1]).toBe(trees[0]);
    expect(trees[2]).toBe(trees[0]);
    expect(trees[3]).toBe(trees[0]);
    // Apptainer runs nothing as root, who could change the host's kernel in it.
    expect(who.map(({ stdout }) => stdout)).toEqual(['0\n', '0\n', '0\n', '65534\n']);
    expect(ends.map(({ metadata }) => metadata['runtime'])).toEqual([...runtimes]);
    const images = ends.map(({ metadata }) => String(metadata['docker_image']));
    expect(images[0]).toMatch(/@sha256:[0-9a-f]{64}$/);
    expect(new Set(images).size).toBe(1);
  });

  it.each(['runc', 'apptainer'] as const)(
    'of %s goes on while its worker is dead, and the next one takes it up',
    async (runtime) => {
      const uuid = await start(runtime, 'echo begun; sleep 4; echo over');
      await eventually('the run writes', async () => {
        const { stdout } = await installation.cl(['cat', `${uuid}/stdout`]);
        return stdout.includes('begun') || undefined;
      });
      await workers.get(runtime)?.end('SIGKILL');
      await startWorker(runtime);

      const { state } = await installation.finished(uuid);

      expect(state).toBe('ready');
      expect((await installation.cl(['cat', `${uuid}/stdout`])).stdout).toBe('begun\nover\n');
    },
  );

  it('is told of in the list of workers, with what its runtime does not do', async () => {
    const { stdout } = await installation.cl(['workers', '--json']);

    expect(stdout).toMatch(/Podman \d.*runs with network access can reach each other/);
    expect(stdout).toMatch(/runc \d.*no GPUs/);
    expect(stdout).toMatch(/Apptainer \d.*share the network of this host/);
  });
});
