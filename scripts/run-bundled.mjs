// Runs a program of this repository that is not shipped, such as the measurements: bundled, with the programs it works on freshly built.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { ensureInstalled } from './installed.mjs';
import { build } from './build.mjs';
import { root } from './root.mjs';

/**
 * Hands the command line's words on, and ends with the program's exit code.
 * @param options.built the programs are as new as they can be
 * @param options.ownPrograms it works on copies of server and worker (SHEAF_PROGRAMS): builds that come meanwhile do not change them
 */
export async function runBundled(entryPoint, { built = false, ownPrograms = false } = {}) {
  ensureInstalled({ development: true });
  if (!built) await build();
  const { build: bundle } = await import('esbuild');
  // Inside the tree, so that libraries outside the bundle are found.
  const directory = mkdtempSync(join(root, 'build', 'program-'));
  try {
    await bundle({
      absWorkingDir: root,
      entryPoints: { main: entryPoint },
      outdir: directory,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      external: ['vitest', '@photostructure/sqlite', 'node:sqlite', 'pg-native'],
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
      },
      define: { 'process.env.SHEAF_ROOT': JSON.stringify(root) },
      logLevel: 'warning',
    });
    if (ownPrograms)
      for (const name of ['server', 'worker'])
        cpSync(join(root, 'build', name), join(directory, name), { recursive: true });
    const words = [join(directory, 'main.js'), ...process.argv.slice(2)];
    const { status } = spawnSync(process.execPath, words, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, SHEAF_ROOT: root, ...(ownPrograms ? { SHEAF_PROGRAMS: directory } : {}) },
    });
    process.exitCode = status ?? 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
