import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunSpecification } from '../port.ts';
import { bubblewrapCommand } from './bubblewrap.ts';
import { hiddenInside, systemEntries } from './layout.ts';
import { makeMountPoints } from './mount-points.ts';
import { planMounts, type SandboxFacts } from './plan.ts';

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'sheaf-plan-')));
});
afterEach(() => rm(root, { recursive: true }));

const facts: SandboxFacts = {
  entries: [
    { kind: 'link', path: '/bin', to: 'usr/bin' },
    { kind: 'directory', path: '/usr' },
  ],
  hidden: [
    { kind: 'directory', path: '/usr/data' },
    { kind: 'file', path: '/usr/key' },
  ],
  kernelDirectories: [],
  nameServers: '/run/resolve/names',
  temporary: '/state/tmp',
  isFile: (source) => source.endsWith('.txt'),
};

function specification(changes: Partial<RunSpecification> = {}): RunSpecification {
  return {
    uuid: '0xa',
    epoch: 1,
    command: 'true',
    image: null,
    directory: '/runs/0xa',
    mounts: [],
    environment: {},
    cpuset: [],
    gpus: [],
    memory: 0,
    network: false,
    sharedMemory: 4096,
    ...changes,
  };
}

describe('the plan of a sandbox', () => {
  it('hides what lies in the system directories, after it has shown them', () => {
    const targets = planMounts(specification(), facts).map((step) => step.target);

    expect(targets.indexOf('/usr/data')).toBeGreaterThan(targets.indexOf('/usr'));
    expect(targets.indexOf('/usr/key')).toBeGreaterThan(targets.indexOf('/usr'));
  });

  it('shows name servers only to runs with network access', () => {
    const targets = (network: boolean): string[] =>
      planMounts(specification({ network }), facts).map((step) => step.target);

    expect(targets(true)).toContain('/run/resolve/names');
    expect(targets(false)).not.toContain('/run/resolve/names');
  });

  it('makes everything read-only but the run directory and the temporary ones', () => {
    const mounts = [{ source: '/cache/a.txt', target: '/0xa_dependencies/deep/a' }];
    const writable = planMounts(specification({ mounts }), facts).flatMap((step) =>
      step.kind === 'bind' && !step.readOnly ? [step.target] : [],
    );

    expect(writable).toEqual(['/tmp', '/var/tmp', '/0xa']);
  });

  it('makes the directories above a mount passable for everybody', () => {
    const mounts = [{ source: '/cache/a.txt', target: '/0xa_dependencies/deep/a' }];
    const steps = planMounts(specification({ mounts }), facts);

    expect(steps.flatMap((step) => (step.kind === 'directory' ? [step.target] : []))).toEqual([
      '/var',
      '/0xa_dependencies',
      '/0xa_dependencies/deep',
    ]);
  });

  it.each(['/usr/share/data', '/bin', '/proc/x', '/dev/shm/x'])('cannot put a dependency at %s', (target) => {
    const plan = (): unknown =>
      planMounts(specification({ mounts: [{ source: '/cache/a', target }] }), facts);

    expect(plan).toThrow(/cannot be placed inside/);
    expect(plan).toThrow(expect.objectContaining({ userError: true }));
  });

  it('keeps the network away unless it is asked for', () => {
    const words = (network: boolean): string[] =>
      bubblewrapCommand(
        { steps: [], network, root: '/r', user: undefined, command: ['true'] },
        { program: 'bwrap', infoDescriptor: 8 },
      );

    expect(words(false)).toContain('--unshare-net');
    expect(words(true)).not.toContain('--unshare-net');
  });
});

describe('the host', () => {
  it('shows its system directories and links, and nothing else', async () => {
    for (const name of ['usr', 'etc', 'home', 'root', 'var', 'run', 'srv']) {
      await mkdir(join(root, name));
    }
    await symlink('usr/lib', join(root, 'lib'));

    expect(systemEntries(root)).toEqual([
      { kind: 'directory', path: join(root, 'etc') },
      { kind: 'link', path: join(root, 'lib'), to: 'usr/lib' },
      { kind: 'directory', path: join(root, 'usr') },
    ]);
  });

  it('hides what is visible and exists, by its real name', async () => {
    await mkdir(join(root, 'usr/data'), { recursive: true });
    await writeFile(join(root, 'usr/key'), '');
    await mkdir(join(root, 'home'));
    await symlink(join(root, 'usr/data'), join(root, 'home/link'));
    const paths = ['usr/key', 'home/link', 'home', 'usr/gone'].map((name) => join(root, name));

    expect(hiddenInside(paths, systemEntries(root))).toEqual([
      { path: join(root, 'usr/key'), kind: 'file' },
      { path: join(root, 'usr/data'), kind: 'directory' },
    ]);
  });
});

describe('places for dependencies inside the run directory', () => {
  it('are never made through a link that an earlier attempt left', async () => {
    const outside = join(root, 'outside');
    const directory = join(root, 'run');
    await mkdir(outside);
    await mkdir(directory);
    await symlink(outside, join(directory, 'in'));
    const run = specification({ directory, mounts: [{ source: outside, target: '/0xa/in/deep' }] });

    await expect(makeMountPoints(run, undefined)).rejects.toMatchObject({ userError: true });
    expect(existsSync(join(outside, 'deep'))).toBe(false);
  });
});
