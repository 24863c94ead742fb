// Installs the libraries of the lock file when they are not there yet.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { root } from './root.mjs';

const lock = join(root, 'package-lock.json');
const stamp = join(root, 'node_modules', '.sheaf-installed.json');
const npmRecord = join(root, 'node_modules', '.package-lock.json');

/**
 * Makes sure that what the lock file lists is in node_modules.
 * @param {{ development: boolean }} options whether the tools for tests and checks are needed, too
 */
export function ensureInstalled({ development }) {
  const digest = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (isInstalled(digest, development)) return;
  refuseLink();
  console.error(development ? 'Installing libraries and tools …' : 'Installing libraries …');
  const npm = process.env.npm_execpath;
  const words = ['ci', '--no-audit', '--no-fund', ...(development ? [] : ['--omit=dev'])];
  const quiet = ['--loglevel=error'];
  const done =
    npm === undefined
      ? spawnSync('npm', [...words, ...quiet], { cwd: root, stdio: ['ignore', 2, 2] })
      : spawnSync(process.execPath, [npm, ...words, ...quiet], { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) {
    console.error(
      'The libraries could not be installed; the lines above say why. Mend that and run the command again.',
    );
    process.exit(1);
  }
  writeFileSync(stamp, JSON.stringify({ digest, development }));
}

/** npm empties the directory before it installs: behind a link, that of another folder. */
function refuseLink() {
  const modules = join(root, 'node_modules');
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return;
  console.error(
    `${modules} is a link to the libraries of another folder, which lack some: install them there, or remove the link.`,
  );
  process.exit(1);
}

function isInstalled(digest, development) {
  if (existsSync(stamp)) {
    const known = JSON.parse(readFileSync(stamp, 'utf8'));
    if (known.digest === digest && (known.development || !development)) return true;
  }
  // Installed by hand: npm's own record is newer than the lock file, and the tools are there if they are needed.
  if (!existsSync(npmRecord) || statSync(npmRecord).mtimeMs < statSync(lock).mtimeMs) return false;
  return existsSync(join(root, 'node_modules', development ? 'vitest' : 'esbuild'));
}
