/* Containers with the settings of ours, made by calling runc directly: an overlay on the same unpacked image, the same bundle. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import type { Installation } from '../tests/support/installation.ts';
import { run } from '../tests/support/programs.ts';
import type { Client, Direct } from './true-runs.ts';

interface Bundle {
  process: { args: string[]; cwd: string };
  readonly mounts: { source?: string; destination: string }[];
  readonly hooks?: { readonly createRuntime: { readonly args: string[] }[] };
  readonly linux: { cgroupsPath: string; resources: Record<string, unknown> };
}

const script = `
mount -t overlay -o "lowerdir=$1,upperdir=upper,workdir=work" overlay root || exit 1
exec runc --root state run --bundle . "$2"
`;

export async function runcContainersOf(
  client: Client,
  image: string,
  installation: Installation,
): Promise<Direct> {
  const uuid = await client.create(image, 'sleep 600');
  await installation.inState(uuid, 'running');
  const file = await eventually('the bundle of a run', () => Promise.resolve(bundleOf(installation, uuid)));
  const text = readFileSync(file, 'utf8');
  const lower = realpathSync(join(dirname(file), 'image'));
  await client.kill(uuid);
  const own = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  let number = 0;
  return {
    words: 'runc itself, overlay + run of the same bundle',
    async execute(slot) {
      number += 1;
      const name = `sheaf-bench-${process.pid}-${number}`;
      const directory = join(own, name);
      for (const part of ['', 'upper', 'work', 'root', 'results']) mkdirSync(join(directory, part));
      writeFileSync(join(directory, 'config.json'), JSON.stringify(bundleFor(text, directory, slot)));
      const words = ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'run', lower, name];
      const { code, stderr } = await run('unshare', words, { cwd: directory });
      if (code !== 0) throw new Error(`runc ended with ${code}: ${stderr}`);
      rmSync(directory, { recursive: true });
    },
    cleared: () => Promise.resolve(),
    close: () => Promise.resolve(rmSync(own, { recursive: true, force: true })),
  };
}

function bundleOf({ home }: Installation, uuid: string): string | undefined {
  const names = readdirSync(join(home, 'worker'), { recursive: true }) as string[];
  const name = names.find((path) => path.includes(`${uuid}.1`) && path.endsWith('/config.json'));
  return name === undefined ? undefined : join(home, 'worker', name);
}

/** What belonged to the run alone is replaced; limits are left to runc to set. */
function bundleFor(text: string, directory: string, slot: number): Bundle {
  const bundle = JSON.parse(text) as Bundle;
  const results = bundle.mounts.find(({ destination }) => destination === bundle.process.cwd);
  if (results !== undefined) results.source = join(directory, 'results');
  bundle.process.args = ['/bin/bash', '-c', 'true'];
  bundle.linux.cgroupsPath = `/sheaf-bench/${directory.split('/').at(-1) ?? ''}`;
  bundle.linux.resources = {
    ...bundle.linux.resources,
    memory: { limit: 2 * 1024 ** 3 },
    cpu: { cpus: String(slot) },
    pids: { limit: 32_768 },
  };
  for (const { args } of bundle.hooks?.createRuntime ?? []) {
    // The script, its name, whereto, the range, and the file for the address.
    args[6] = join(directory, 'address');
  }
  return bundle;
}
