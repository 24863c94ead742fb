// Runs a program of this repository that is not shipped, such as the measurements: bundled, with the programs it works on freshly built.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { ensureInstalled } from './installed.mjs';
import { build } from './build.mjs';
import { root } from './root.mjs';

/** Hands the command line's words on, and ends with the program's exit code. */
export async function runBundled(entryPoint) {
  ensureInstalled({ development: true });
  await build();
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
    const words = [join(directory, 'main.js'), ...process.argv.slice(2)];
    const { status } = spawnSync(process.execPath, words, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, SHEAF_ROOT: root },
    });
    process.exitCode = status ?? 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
