/** Programs of Debian packages, installed where they are missing and may be. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runProcess } from '../processes.ts';
import { SkipReason } from './skip-reason.ts';
import { inTurn } from './turns.ts';

/** Where a program is; undefined: nowhere in PATH or the directories for administrators. */
export function findProgram(name: string): string | undefined {
  const directories = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
  ];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/**
 * Finds a program, and installs its package first where this is root on Debian or one of its kin.
 * @throws SkipReason in the name of the service that needs it
 */
export async function requireProgram(service: string, program: string, packageName: string): Promise<string> {
  const found = findProgram(program);
  if (found !== undefined) {
    return found;
  }
  await installPackage(service, packageName);
  const installed = findProgram(program);
  if (installed === undefined) {
    throw new SkipReason(service, `the package ${packageName} brought no program ${program}`);
  }
  return installed;
}

/** @throws SkipReason it may not or cannot be installed */
export async function installPackage(service: string, packageName: string): Promise<void> {
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined) {
    throw new SkipReason(
      service,
      `the package ${packageName} is not installed (as root on Debian, the tests install it)`,
    );
  }
  const install = ['install', '--yes', '--no-install-recommends', packageName];
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  const wait = ['-o', 'DPkg::Lock::Timeout=300'];
  // Several test files come here at once, and apt waits for not all of its locks.
  await inTurn('packages', async () => {
    try {
      await runProcess('apt-get', [...wait, ...install], options);
    } catch {
      // The lists may be old or missing.
      try {
        await runProcess('apt-get', [...wait, 'update'], options);
        await runProcess('apt-get', [...wait, ...install], options);
      } catch (error) {
        throw new SkipReason(service, `the package ${packageName} cannot be installed`, { cause: error });
      }
    }
  });
}
