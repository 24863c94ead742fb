// `npm test`: installs, builds, checks the code, runs every test. Arguments are passed on to vitest (and then only tests run).
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { ensureInstalled } from './installed.mjs';
import { root } from './root.mjs';

ensureInstalled({ development: true });
await build();

const only = process.argv.slice(2);
if (only.length > 0) {
  runOne(['vitest', 'run', ...only]);
} else {
  runOne(['oxfmt', '--check', '.']);
  runOne(['oxlint', '--type-aware']);
  runOne(['tsc', '--noEmit']);
  runOne(['knip', '--no-config-hints']);
  await runTests();
}

function runOne([tool, ...words]) {
  announce([tool, ...words]);
  const { status, signal } = spawnSync(program(tool), words, { cwd: root, stdio: 'inherit' });
  if (status !== 0) fail(tool, status, signal);
}

/** Both at once: system tests mostly wait for what they have started. What they say comes when the others are through. */
async function runTests() {
  const system = start(['vitest', 'run', '--project', 'system'], 'pipe');
  const unit = start(['vitest', 'run', '--project', 'unit'], 'inherit');
  announce(unit.words);
  const units = await unit.ended;
  const systems = await system.ended;
  announce(system.words);
  process.stdout.write(systems.said);
  for (const { words, status, signal } of [units, systems]) {
    if (status !== 0) fail(words.join(' '), status, signal);
  }
}

function start([tool, ...words], output) {
  const child = spawn(program(tool), words, { cwd: root, stdio: ['ignore', output, output] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => said.push(piece));
  const ended = new Promise((resolve) => {
    child.once('close', (status, signal) => {
      resolve({ words: [tool, ...words], status, signal, said: Buffer.concat(said) });
    });
  });
  return { words: [tool, ...words], ended };
}

function program(tool) {
  return join(root, 'node_modules/.bin', tool);
}

function announce(words) {
  console.log(`\n> ${words.join(' ')}`);
}

function fail(what, status, signal) {
  console.error(`${what} failed (${signal ?? `exit ${status}`}).`);
  process.exit(1);
}
