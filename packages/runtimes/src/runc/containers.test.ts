/* What is special about runs of runc: their images, networks, and what is left when somebody dies. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bareImages,
  describeWith,
  requireDockerEngine,
  requireRegistry,
  requireRunc,
  type BareImages,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { benchFor, forkMany, never } from '../conformance/bench.conformance.ts';
import type { PreparedImage, RunSpecification } from '../port.ts';
import { connectRuncRuntime } from './connect.ts';
import { fillStore } from './fixtures/filled-store.ts';

const worker = `runc-${process.pid}`;
const quietly = { signal: never, onProgress: () => undefined };

describeWith('runs of runc', [requireRunc, requireDockerEngine, requireRegistry], () => {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-runc-'));
  let registry: Registry;
  let bare: BareImages;
  let python: PreparedImage;
  const bench = benchFor({
    async open() {
      python = await fillStore(directory);
      return connectRuncRuntime({ directory, worker });
    },
    image: () => Promise.resolve(python),
  });
  beforeAll(async () => {
    registry = await requireRegistry();
    bare = await bareImages(registry);
  }, 240_000);
  afterAll(async () => {
    await registry.stop();
    rmSync(directory, { recursive: true });
  });

  it('are in the image, on top of which they may write what nobody else sees', async () => {
    const write = await bench.run(
      'echo changed >/etc/os-release; rm -rf /usr/lib/python3; touch /new; id -u',
    );
    const read = await bench.run('grep -c changed /etc/os-release; ls -d /usr/lib/python3 /new');

    expect(write.exit.exitCode).toBe(0);
    expect(read.stdout).toBe('0\n/usr/lib/python3\n');
  });

  it('cannot change what is mounted inside a dependency, nor use rights and devices that lie in an image', async () => {
    const dependency = await bench.directory();
    const below = join(dependency, 'below');
    mkdirSync(below);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=777', 'below', below]);
    try {
      const { stdout } = await bench.run(
        'touch /dependency/below/new; sed -n "s,^overlay / overlay \\([^ ]*\\).*,\\1,p" /proc/mounts',
        { mounts: [{ source: dependency, target: '/dependency' }] },
      );

      expect(readdirSync(below)).toEqual([]);
      expect(stdout.split(',')).toEqual(expect.arrayContaining(['nosuid', 'nodev']));
    } finally {
      execFileSync('umount', [below]);
    }
  });

  it('use sh where the image has no bash', async () => {
    const image = await bench.runtime.prepareImage(bare.withoutBash, quietly);
    const { exit, stdout } = await bench.run('echo plain $0; exit 3', { image });

    expect(stdout).toBe('plain /bin/sh\n');
    expect(exit).toMatchObject({ exitCode: 3, message: null });
  });

  it('take from an image its environment, and nothing else it would do', async () => {
    const image = await bench.runtime.prepareImage(bare.withOpinions, quietly);
    const { exit, stdout, specification } = await bench.run(
      'echo $COLOR $PATH $HOME $PWD; id -u; echo >file',
      { image },
    );

    const home = `/${specification.uuid}`;
    const owner = statSync(specification.directory).uid;
    expect(exit).toMatchObject({ exitCode: 0, message: null });
    expect(stdout).toBe(`blue /bin:/special ${home} ${home}\n${owner}\n`);
  });

  it.each<[string, () => Promise<Partial<RunSpecification>>, object, RegExp]>([
    [
      'no shell',
      async () => ({ image: await bench.runtime.prepareImage(bare.withoutShell, quietly) }),
      { userError: true },
      /no shell/,
    ],
    ['no image', async () => ({ image: null }), { userError: true }, /must name one/],
    [
      'an image that was removed',
      async () => ({ image: { id: `sha256:${'0'.repeat(64)}`, digest: null, size: 1 } }),
      { imageGone: true, userError: false },
      /not there any more/,
    ],
  ])('are refused with %s', async (_, changes, properties, words) => {
    const start = bench.runtime.start(await bench.specification('true', await changes()), never);

    await expect(start).rejects.toThrow(words);
    await expect(start).rejects.toMatchObject({ name: 'RuntimeError', ...properties });
    expect(await bench.runtime.list()).toEqual([]);
  });

  it('may have only so many processes', async () => {
    const modest = await connectRuncRuntime({ directory, worker, processLimit: 20 });
    const specification = await bench.specification(forkMany);
    const handle = await modest.start(specification, never);
    bench.handles.push(handle);
    await modest.wait(handle, never);
    await modest.close();

    const { stdout } = await bench.output(specification);
    expect(Number(stdout)).toBeGreaterThan(5);
    expect(Number(stdout)).toBeLessThan(20);
  });

  it('cannot make namespaces of their own, in which they would have every right', async () => {
    const { stdout } = await bench.run(
      'unshare --user --map-root-user true || echo refused; grep Seccomp: /proc/self/status',
    );

    expect(stdout).toMatch(/^refused\nSeccomp:\s+2\n$/);
  });

  it('leave nothing behind: no group, no directory, no mount', async () => {
    const { handle } = await bench.run('true', { network: true });
    const mounts = readFileSync('/proc/self/mounts', 'utf8');
    await bench.runtime.destroy(handle);

    const groups = readdirSync('/sys/fs/cgroup').flatMap((name) => {
      const place = `/sys/fs/cgroup/${name}/sheaf`;
      return existsSync(place) ? readdirSync(place) : [];
    });
    expect(groups.join()).not.toContain(handle.uuid);
    expect(readdirSync(join(directory, 'runs'))).toEqual([]);
    expect(mounts).not.toContain(directory);
  });

  it('end when their supervisor is killed, and are said to', async () => {
    const specification = await bench.specification('echo up; sleep 600');
    const handle = await bench.start(specification);
    await bench.untilSays(specification, 'up');
    const place = join(directory, 'runs', `${handle.uuid}.1`);
    process.kill(Number(readFileSync(join(place, 'supervisor'), 'utf8')), 'SIGKILL');

    const exit = await bench.runtime.wait(handle, never);

    expect(exit).toMatchObject({ exitCode: null, interrupted: true });
    expect(exit.message).toMatch(/supervisor of the run has gone/);
    expect(await bench.runtime.statistics(handle)).toBeUndefined();
  });

  it('keep their image from being removed', async () => {
    const image = await bench.runtime.prepareImage(bare.withoutBash, quietly);
    const handle = await bench.start(await bench.specification('sleep 600', { image }));

    expect(await bench.runtime.removeImage(image.id)).toBe('in use');
    await bench.runtime.destroy(handle);
    expect(await bench.runtime.removeImage(image.id)).toBe('removed');
    expect(await bench.runtime.removeImage(image.id)).toBe('gone');
  });

  it('are reached by the worker, with and without network access', async () => {
    const server = [
      'import http.server',
      "print('up', flush=True)",
      "http.server.HTTPServer(('', 80), http.server.SimpleHTTPRequestHandler).serve_forever()",
    ].join('\n');
    for (const network of [true, false]) {
      const specification = await bench.specification('python3 -u serve.py', { network });
      writeFileSync(join(specification.directory, 'serve.py'), server);
      writeFileSync(join(specification.directory, 'letter'), 'dear host');
      chmodSync(join(specification.directory, 'letter'), 0o644);
      const handle = await bench.start(specification);
      await bench.untilSays(specification, 'up');

      const [first, second] = await Promise.all([
        bench.runtime.reach(handle, 80),
        bench.runtime.reach(handle, 80),
      ]);

      expect(first?.host).toMatch(network ? /^198\.18\./ : /^198\.19\./);
      expect(second).toEqual(first);
      await expect
        .poll(() =>
          fetch(`http://${first?.host}:80/letter`).then(
            (answer) => answer.text(),
            () => '',
          ),
        )
        .toBe('dear host');
      await bench.runtime.stop(handle);
      expect(await bench.runtime.reach(handle, 80)).toBeUndefined();
    }
  });

  it('reach neither their host nor another run, even with network access', async () => {
    const listener = await bench.specification(
      "echo up; python3 -c \"import socket; s = socket.create_server(('', 8000)); s.accept(); print('reached')\"",
      { network: true },
    );
    const handle = await bench.start(listener);
    await bench.untilSays(listener, 'up');
    const other = (await bench.runtime.reach(handle, 8000))?.host;
    const port = registry.address.split(':')[1];
    const { stdout } = await bench.run(
      [
        'try() { timeout 2 bash -c "echo >/dev/tcp/$1/$2" 2>/dev/null && echo reached $1 $2 || echo kept from $2; }',
        `try ${other} 8000 &`,
        `try 198.18.0.1 ${port} &`,
        `try 172.17.0.1 22 &`,
        'try 169.254.169.254 80 &',
        'try 100.100.100.200 80 &',
        'wait',
        'grep -c "^eth0.00000000" /proc/net/route',
        'cat /etc/resolv.conf | grep -c nameserver',
      ].join('\n'),
      { network: true },
    );

    expect(stdout).not.toContain('reached');
    expect(stdout.match(/kept from/g)).toHaveLength(5);
    expect(stdout).toMatch(/\n1\n[1-9]\n$/);
    expect(bench.runtime.description).toContain('cannot reach this host');
  });
});
