/** Images that lack what a run needs: one has no bash, one has no shell at all. */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '../processes.ts';
import { findProgram, requireProgram } from '../services/packages.ts';
import type { Registry } from '../services/registry.ts';
import { cachedArchive } from './archive-cache.ts';
import { publishImage } from './engine-images.ts';

export interface BareImages {
  /** Has `/bin/sh` (busybox) and no bash. */
  readonly withoutBash: string;
  /** Has one program and no shell. */
  readonly withoutShell: string;
  /** Has `/bin/sh`, an entry point, a command, a directory, a user (1234:1234) and `COLOR=blue` of its own. */
  readonly withOpinions: string;
}

const version = '2';

const opinions = [
  'ENTRYPOINT ["/bin/echo", "the entry point"]',
  'CMD ["the command"]',
  'USER 1234:1234',
  'WORKDIR /somewhere',
  'ENV COLOR=blue HOME=/nowhere PATH=/bin:/special',
];

/** Names of the images in the registry. */
export async function bareImages(registry: Registry): Promise<BareImages> {
  return {
    withoutBash: await publishImage({ name: 'no-bash', version, archive: archiveWithoutBash }, registry),
    withoutShell: await publishImage({ name: 'no-shell', version, archive: archiveWithoutShell }, registry),
    withOpinions: await publishImage(
      { name: 'opinions', version, archive: archiveWithoutBash, configuration: opinions },
      registry,
    ),
  };
}

const links = ['sh', 'cat', 'echo', 'env', 'head', 'id', 'ls', 'ps', 'sha256sum', 'sleep', 'true', 'yes'];

/** Path of a root file system with busybox and its shell: 1 MB, to make images of. @throws SkipReason */
export function archiveWithoutBash(): Promise<string> {
  return cachedArchive(`no-bash-${version}`, (file) =>
    archiveOf(file, async (root) => {
      await mkdir(join(root, 'bin'));
      await mkdir(join(root, 'tmp'));
      await chmod(join(root, 'tmp'), 0o1777);
      await copyStaticProgram(join(root, 'bin/busybox'));
      for (const name of links) {
        await symlink('busybox', join(root, 'bin', name));
      }
    }),
  );
}

/** Busybox is the program it is called as: as `true` it does nothing else. */
function archiveWithoutShell(): Promise<string> {
  return cachedArchive(`no-shell-${version}`, (file) =>
    archiveOf(file, async (root) => {
      await mkdir(join(root, 'program'));
      await copyStaticProgram(join(root, 'program/true'));
    }),
  );
}

async function archiveOf(file: string, fill: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'sheaf-image-'));
  try {
    await chmod(root, 0o755);
    await fill(root);
    await runProcess('tar', ['--create', '--file', file, '--owner=0', '--group=0', '--directory', root, '.']);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Busybox without libraries: out of its package, without installing it, or the installed one where there is no apt. */
async function copyStaticProgram(target: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sheaf-busybox-'));
  try {
    if (findProgram('apt-get') === undefined) {
      await copyFile(await requireProgram('bare images', 'busybox', 'busybox-static'), target);
      return;
    }
    await runProcess('apt-get', ['download', 'busybox-static'], { cwd: directory });
    const file = (await readdir(directory)).find((name) => name.endsWith('.deb')) ?? '';
    await runProcess('dpkg-deb', ['--extract', join(directory, file), directory]);
    const places = ['bin/busybox', 'usr/bin/busybox'].map((name) => join(directory, name));
    await copyFile(places.find((path) => existsSync(path)) ?? 'busybox', target);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
