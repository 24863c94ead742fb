// Bundles the programs into build/. `node scripts/build.mjs` builds; `ensureBuilt` builds only when a source is newer.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleClient } from '../packages/cli/bundle.mjs';
import { ensureInstalled } from './installed.mjs';
import { root } from './root.mjs';

const stamp = join(root, 'build', '.built');

/** Libraries that load native code or optional parts by path, and so cannot be bundled. */
const external = ['@photostructure/sqlite', 'pg-native', 'node:sqlite'];

/** CommonJS libraries inside an ES module bundle still call `require`. */
const requireShim =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

export async function build() {
  const { build: bundle } = await import('esbuild');
  const common = {
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    external,
  };
  const target = join(root, 'build');
  mkdirSync(target, { recursive: true });
  const fresh = mkdtempSync(join(target, 'new-'));
  await Promise.all([
    bundleClient({ root, outdir: join(fresh, 'cli') }),
    bundle({
      ...common,
      entryPoints: { process: 'packages/server/src/process.ts' },
      outdir: join(fresh, 'server'),
      banner: { js: requireShim },
      sourcemap: true,
    }),
    bundle({
      ...common,
      entryPoints: { process: 'packages/worker/src/process.ts' },
      outdir: join(fresh, 'worker'),
      banner: { js: requireShim },
      sourcemap: true,
    }),
    bundle({
      ...common,
      // What only some kinds of pools need is loaded by those.
      splitting: true,
      entryPoints: { process: 'packages/pools/src/process.ts' },
      outdir: join(fresh, 'worker-manager'),
      banner: { js: requireShim },
      sourcemap: true,
    }),
  ]);
  // Exchanged when complete, so that whoever starts a program meanwhile finds the one before.
  const old = mkdtempSync(join(target, 'old-'));
  for (const program of ['cli', 'server', 'worker', 'worker-manager']) {
    if (existsSync(join(target, program))) renameSync(join(target, program), join(old, program));
    renameSync(join(fresh, program), join(target, program));
  }
  for (const directory of [old, fresh]) rmSync(directory, { recursive: true, force: true });
  writeFileSync(stamp, '');
}

export async function ensureBuilt() {
  if (existsSync(stamp) && newestSource() <= statSync(stamp).mtimeMs) return;
  console.error('Building …');
  await build();
}

function newestSource() {
  let newest = 0;
  const look = (path) => {
    const found = statSync(path);
    if (found.isDirectory()) for (const name of readdirSync(path)) look(join(path, name));
    else newest = Math.max(newest, found.mtimeMs);
  };
  for (const name of readdirSync(join(root, 'packages'))) {
    look(join(root, 'packages', name, 'src'));
    look(join(root, 'packages', name, 'package.json'));
  }
  look(join(root, 'package-lock.json'));
  look(join(root, 'packages', 'cli', 'bundle.mjs'));
  look(join(root, 'packages', 'cli', 'start.cjs'));
  look(join(root, 'packages', 'cli', 'warm.cjs'));
  look(join(root, 'scripts', 'build.mjs'));
  return newest;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  ensureInstalled({ development: false });
  await build();
}
