/**
 * Apptainer from Debian's unstable release: the stable ones do not have it. It is unpacked beside the libraries that it was built
 * with, in a directory of its own that every user may read, and nothing is installed: the machine stays what it is.
 */
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isErrno } from '../errno.ts';
import { runProcess } from '../processes.ts';
import { findProgram, requireProgram } from './packages.ts';
import { requirement } from './requirement.ts';
import { SkipReason } from './skip-reason.ts';
import { inTurn } from './turns.ts';

const service = 'Apptainer';

/** Path of the program; the first time on a machine it takes a quarter of a minute to download. */
export const requireApptainer = requirement<string>(async () => void (await find()), find);

async function find(): Promise<string> {
  const installed = findProgram('apptainer');
  if (installed !== undefined) return installed;
  const user = process.getuid?.() ?? 0;
  // Not in anybody's home, which others could not enter; not in /tmp, which is empty after a start of the machine.
  const place = join('/var/tmp', `sheaf-test-apptainer-1-${user}`);
  await inTurn(`apptainer-${user}`, async () => {
    if (!(await isOurs(place, user))) await make(place);
  });
  return join(place, 'usr/bin/apptainer');
}

/** @throws SkipReason somebody else has made it */
async function isOurs(place: string, user: number): Promise<boolean> {
  try {
    if ((await stat(place)).uid !== user) throw new SkipReason(service, `${place} belongs to somebody else`);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** With the libraries that it asks for; what else it depends on is for images of kinds that no test has. */
const packages = ['apptainer', 'libc6', 'libseccomp2', 'libsqlite3-0'];

async function make(place: string): Promise<void> {
  const patchelf = await requireProgram(service, 'patchelf', 'patchelf');
  const work = await mkdtemp('/var/tmp/sheaf-test-download-');
  try {
    await download(work);
    const root = join(work, 'root');
    for (const name of await readdir(work)) {
      if (name.endsWith('.deb')) await runProcess('dpkg-deb', ['--extract', join(work, name), root]);
    }
    await chmod(root, 0o755);
    await settle(root, place, patchelf);
    await rename(root, place);
  } catch (error) {
    throw error instanceof SkipReason
      ? error
      : new SkipReason(service, 'it cannot be had from the unstable release of Debian', { cause: error });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** With lists and settings of its own: those of the machine know nothing of another release. */
async function download(work: string): Promise<void> {
  const list = join(work, 'sources.list');
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  await writeFile(list, `deb [signed-by=${keys}] ${await mirror()} sid main\n`);
  for (const name of ['lists/partial', 'cache/archives/partial']) {
    await mkdir(join(work, name), { recursive: true });
  }
  const options = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(work, 'lists')}`,
    `Dir::Cache=${join(work, 'cache')}`,
    // Without translations and the like, and as whoever this is.
    'Acquire::Languages=none',
    'APT::Sandbox::User=',
  ].flatMap((option) => ['-o', option]);
  await runProcess('apt-get', [...options, '--quiet', 'update'], { cwd: work });
  await runProcess('apt-get', [...options, '--quiet', 'download', ...packages], { cwd: work });
}

/** Where this machine has its packages from. */
async function mirror(): Promise<string> {
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages', 'Origin: Debian'];
  const addresses = (await runProcess('apt-get', ['indextargets', ...format])).split('\n');
  const address = addresses.find((line) => line !== '' && !line.includes('security'));
  if (address === undefined) {
    throw new SkipReason(service, 'this machine is no Debian that knows where packages come from');
  }
  return address;
}

/**
 * Has the programs load the libraries beside them, and puts what they read where they look for it: Apptainer takes the directory
 * above its own for the root of its settings, each of its programs another one.
 */
async function settle(root: string, place: string, patchelf: string): Promise<void> {
  const libraries = await libraryDirectory(root);
  const programs = [join(root, 'usr/bin/apptainer'), join(libraries, 'apptainer/bin/starter')];
  const final = join(place, libraries.slice(root.length));
  for (const program of programs) {
    const loader = (await runProcess(patchelf, ['--print-interpreter', program])).trim();
    const settings = ['--set-interpreter', join(final, basename(loader)), '--set-rpath', final];
    await runProcess(patchelf, ['--force-rpath', ...settings, program]);
  }
  await cp(join(root, 'etc'), join(root, 'usr/etc'), { recursive: true });
  await symlink('../etc', join(root, 'usr/lib/etc'));
  for (const prefix of ['usr', 'usr/lib']) {
    await mkdir(join(root, prefix, 'var/lib/apptainer/mnt/session'), { recursive: true });
  }
}

/** The one of the machine's architecture. */
async function libraryDirectory(root: string): Promise<string> {
  const names = await readdir(join(root, 'usr/lib'), { recursive: true });
  const starter = names.find((name) => name.endsWith('/apptainer/bin/starter'));
  if (starter === undefined) throw new SkipReason(service, 'its package is not what it was');
  return join(root, 'usr/lib', dirname(dirname(dirname(starter))));
}
