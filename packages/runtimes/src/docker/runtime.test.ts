import { chmod, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bareImages,
  describeWith,
  pythonImage,
  requireDockerEngine,
  requireRegistry,
  type BareImages,
  type Registry,
  eventually,
} from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchFor, forkMany, never, type RuntimeHarness } from '../conformance/bench.conformance.ts';
import { testExecution } from '../conformance/execution.conformance.ts';
import { testExec } from '../conformance/exec.conformance.ts';
import { testLifecycle } from '../conformance/lifecycle.conformance.ts';
import { EngineClient } from '../engine/client.ts';
import type { PreparedImage } from '../port.ts';
import { connectDockerRuntime } from './runtime.ts';

const address = { kind: 'socket', path: '/var/run/docker.sock' } as const;
const worker = `conformance-${process.pid}`;
const quietly = { signal: never, onProgress: () => undefined };

describeWith('the Docker runtime', [requireDockerEngine, requireRegistry], () => {
  let registry: Registry;
  let python: PreparedImage;
  let bare: BareImages;
  const harness: RuntimeHarness = {
    open: () => connectDockerRuntime({ address, worker, networkPrefix: 'sheaf-test' }, never),
    async image(runtime) {
      python ??= await runtime.prepareImage(await pythonImage(registry), quietly);
      return python;
    },
  };
  beforeAll(async () => {
    registry = await requireRegistry();
    bare = await bareImages(registry);
  }, 240_000);
  afterAll(() => registry.stop());

  testLifecycle(harness);
  testExecution(harness);
  testExec(harness);

  describe('in containers', () => {
    const bench = benchFor(harness);

    it('runs in the image, not on the host', async () => {
      const { stdout } = await bench.run('python3 -c "import json, sys; print(json.dumps(sys.argv))"');

      expect(stdout).toBe('["-c"]\n');
    });

    it('says that an image is gone which somebody removed after it was prepared', async () => {
      const gone = { id: `sha256:${'0'.repeat(64)}`, digest: null, size: 1 };

      await expect(bench.run('true', { image: gone })).rejects.toMatchObject({
        name: 'RuntimeError',
        imageGone: true,
        userError: false,
      });
    });

    it('uses sh where the image has no bash', async () => {
      const image = await bench.runtime.prepareImage(bare.withoutBash, quietly);

      const first = await bench.run('echo plain $0; exit 3', { image });
      const second = await bench.run('echo plain $0; exit 3', { image });

      for (const { exit, stdout } of [first, second]) {
        expect(stdout).toBe('plain /bin/sh\n');
        expect(exit).toMatchObject({ exitCode: 3, message: null });
      }
    });

    it('takes from an image its environment, and nothing else it would do', async () => {
      const image = await bench.runtime.prepareImage(bare.withOpinions, quietly);
      const { exit, stdout, specification } = await bench.run(
        'echo $COLOR $PATH $HOME $PWD; id -u; echo >file',
        {
          image,
        },
      );

      const home = `/${specification.uuid}`;
      const owner = await stat(specification.directory);
      expect(exit).toMatchObject({ exitCode: 0, message: null });
      expect(stdout).toBe(`blue /bin:/special ${home} ${home}\n${owner.uid}\n`);
      expect((await stat(join(specification.directory, 'file'))).uid).toBe(owner.uid);
    });

    it('keeps a run from having more processes than it may', async () => {
      const processLimit = 20;
      const modest = await connectDockerRuntime(
        { address, worker, networkPrefix: 'sheaf-test', processLimit },
        never,
      );
      const specification = await bench.specification(forkMany);
      const handle = await modest.start(specification, never);
      bench.handles.push(handle);
      await modest.wait(handle, never);
      await modest.close();

      const { stdout } = await bench.output(specification);
      expect(Number(stdout)).toBeGreaterThan(5);
      expect(Number(stdout)).toBeLessThan(processLimit);
    });

    it('leaves no control group behind', async () => {
      const { handle } = await bench.run('true');
      await bench.runtime.destroy(handle);

      expect(await groupsNamed(`${handle.uuid}.1`)).toEqual([]);
    });

    it('says so where the image has no shell', async () => {
      const image = await bench.runtime.prepareImage(bare.withoutShell, quietly);

      const start = bench.runtime.start(await bench.specification('true', { image }), never);

      await expect(start).rejects.toThrow(/The image has no shell/);
      await expect(start).rejects.toMatchObject({ name: 'RuntimeError', userError: true });
      expect(await bench.runtime.list()).toEqual([]);
    });

    it('says so where the run has no image', async () => {
      const start = bench.runtime.start(await bench.specification('true', { image: null }), never);

      await expect(start).rejects.toMatchObject({ name: 'RuntimeError', userError: true });
    });

    it('names the container after the run, with the labels of its worker', async () => {
      const specification = await bench.specification('sleep 600');
      await bench.start(specification);
      await bench.start({ ...specification, epoch: 3 });
      const engine = await EngineClient.connect(address, never);

      const first = await engine.inspectContainer(`codalab_run_${specification.uuid}`);
      const later = await engine.inspectContainer(`codalab_run_${specification.uuid}_3`);
      engine.close();

      expect(first.Config.Labels).toMatchObject({
        'sheaf.worker': worker,
        'sheaf.run': specification.uuid,
        'sheaf.epoch': '1',
      });
      expect(later.Config.Labels).toMatchObject({ 'sheaf.epoch': '3' });
    });

    it('makes its network again where somebody removed it', async () => {
      const prefix = `sheaf-test-${process.pid}`;
      const runtime = await connectDockerRuntime({ address, worker, networkPrefix: prefix }, never);
      const engine = await EngineClient.connect(address, never);
      await engine.removeNetwork(`${prefix}_int`);

      const handle = await runtime.start(await bench.specification('exit 4'), never);
      const exit = await runtime.wait(handle, never);
      await runtime.destroy(handle);
      await engine.removeNetwork(`${prefix}_int`);
      await engine.removeNetwork(`${prefix}_ext`);
      engine.close();
      await runtime.close();

      expect(exit).toMatchObject({ exitCode: 4 });
    });

    it('leaves the containers of other workers alone', async () => {
      const other = await connectDockerRuntime(
        { address, worker: `${worker}-other`, networkPrefix: 'sheaf-test' },
        never,
      );
      const handle = await other.start(await bench.specification('sleep 600'), never);

      expect(await bench.runtime.list()).toEqual([]);
      expect(await other.list()).toEqual([handle]);
      await other.destroy(handle);
      await other.close();
    });

    it('reports a container that somebody removed', async () => {
      const handle = await bench.start(await bench.specification('sleep 600'));
      const exit = bench.runtime.wait(handle, never);
      const engine = await EngineClient.connect(address, never);
      await engine.removeContainer(String(handle.data['container']));
      engine.close();

      expect([137, null]).toContain((await exit).exitCode);
      // How it ended is known until the engine has told that it is gone.
      const later = await eventually('no trace of it', async () => {
        const again = await bench.runtime.wait(handle, never);
        return again.exitCode === null ? again : undefined;
      });
      expect(later).toEqual({
        exitCode: null,
        outOfMemory: false,
        message: 'Docker container not found',
        startedAt: null,
        finishedAt: null,
        interrupted: true,
      });
    });

    it('is reached by the worker, with and without network access', async () => {
      const server = [
        'import http.server, os',
        "print('up', flush=True)",
        "http.server.HTTPServer(('', 8000), http.server.SimpleHTTPRequestHandler).serve_forever()",
      ].join('\n');
      for (const network of [true, false]) {
        const specification = await bench.specification('python3 -u serve.py', { network });
        await writeFile(join(specification.directory, 'serve.py'), server);
        await writeFile(join(specification.directory, 'letter'), 'dear host');
        await chmod(join(specification.directory, 'letter'), 0o644);
        const handle = await bench.start(specification);
        await bench.untilSays(specification, 'up');

        const answer = await fetchEventually(
          `http://${(await bench.runtime.reach(handle, 8000))?.host}:8000/letter`,
        );

        expect(answer).toBe('dear host');
      }
    });

    it('cannot reach its host or another run, even with network access', async () => {
      const listener = await bench.specification(
        "echo up; python3 -c \"import socket; s = socket.create_server(('', 8000)); s.accept(); print('reached')\"",
        { network: true },
      );
      const handle = await bench.start(listener);
      await bench.untilSays(listener, 'up');
      const other = (await bench.runtime.reach(handle, 8000))?.host;
      const gateway = other?.replace(/\d+$/, '1');
      const { stdout } = await bench.run(
        [
          'try() { timeout 2 bash -c "echo >/dev/tcp/$1/$2" 2>/dev/null && echo reached $1 $2 || echo kept from $2; }',
          `try ${other} 8000 &`,
          `try ${gateway} ${registry.address.split(':')[1]} &`,
          `try ${gateway} 22 &`,
          'try 169.254.169.254 80 &',
          'try 100.100.100.200 80 &',
          'wait',
        ].join('\n'),
        { network: true },
      );

      expect(stdout).not.toContain('reached');
      expect(stdout.match(/kept from/g)).toHaveLength(5);
      expect(bench.runtime.description).toContain('cannot reach this host');
    });
  });
});

/** Where in the host's hierarchies there is a group of this name, two levels below the engine's own. */
async function groupsNamed(name: string): Promise<string[]> {
  const found: string[] = [];
  for (const hierarchy of await readdir('/sys/fs/cgroup')) {
    const place = join('/sys/fs/cgroup', hierarchy, 'docker');
    const workers = await readdir(place).catch((): string[] => []);
    for (const one of workers.filter((entry) => entry.startsWith('sheaf-'))) {
      const groups = await readdir(join(place, one)).catch((): string[] => []);
      if (groups.includes(name)) found.push(join(place, one, name));
    }
  }
  return found;
}

async function fetchEventually(url: string): Promise<string> {
  for (;;) {
    try {
      return await (await fetch(url)).text();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
