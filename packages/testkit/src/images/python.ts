/** A small Debian with bash, Python and the usual programs, as users' images are. */
import { readFile } from 'node:fs/promises';
import { runProcess } from '../processes.ts';
import { requireProgram } from '../services/packages.ts';
import type { Registry } from '../services/registry.ts';
import { cachedArchive } from './archive-cache.ts';
import { localImage, publishImage, type ImageSource } from './engine-images.ts';

const version = '1';
const source: ImageSource = { name: 'python', version, archive: pythonArchive };

/** Name of the image in the registry. It takes some 15 seconds the first time on a machine, then one or two. */
export function pythonImage(registry: Registry): Promise<string> {
  return publishImage(source, registry);
}

/** The same, only in the engine. */
export function localPythonImage(): Promise<string> {
  return localImage(source);
}

/** Path of the root file system. @throws SkipReason there is no mmdebstrap, and it may not be installed */
export function pythonArchive(): Promise<string> {
  return cachedArchive(`python-${version}`, async (file) => {
    const program = await requireProgram('image of Debian', 'mmdebstrap', 'mmdebstrap');
    await runProcess(program, [
      '--quiet',
      '--variant=essential',
      '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
      '--include=python3,procps',
      `--customize-hook=cd "$1" && rm -rf ${needless.join(' ')}`,
      await ownRelease(),
      file,
    ]);
  });
}

const needless = [
  'usr/share/doc',
  'usr/share/locale',
  'usr/share/man',
  'usr/share/info',
  'usr/share/perl*',
  'usr/bin/perl*',
  'usr/lib/*/perl*',
  'usr/lib/*/gconv',
  'usr/lib/locale',
  'usr/share/zoneinfo',
  'var/cache/*',
  'var/lib/apt',
  'var/lib/dpkg',
];

/** The release of this machine: its keys are installed. */
async function ownRelease(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8');
  return /^VERSION_CODENAME="?(\w+)"?$/m.exec(text)?.[1] ?? 'stable';
}
