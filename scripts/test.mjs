// `npm test`: installs, builds, checks the code, runs every test. Arguments are passed on to vitest (and then only tests run).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { ensureInstalled } from './installed.mjs';
import { root } from './root.mjs';

ensureInstalled({ development: true });
await build();

const only = process.argv.slice(2);
const steps =
  only.length > 0
    ? [['vitest', 'run', ...only]]
    : [
        ['oxfmt', '--check', '.'],
        ['oxlint', '--type-aware'],
        ['tsc', '--noEmit'],
        ['knip', '--no-config-hints'],
        ['vitest', 'run'],
      ];
for (const [tool, ...words] of steps) {
  console.log(`\n> ${[tool, ...words].join(' ')}`);
  const { status, signal } = spawnSync(join(root, 'node_modules/.bin', tool), words, {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(`${tool} failed (${signal ?? `exit ${status}`}).`);
    process.exit(1);
  }
}
