// `npm test`: installs, builds, checks the code, runs every test. Arguments are passed on to vitest (and then only tests run).
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { ensureInstalled } from './installed.mjs';
import { root } from './root.mjs';

/** One experiment with random faults (docs/chaos.md): slow enough to leave the machine to the tests. */
const chaos = ['--seed', '7', '--minutes', '3', '--rate', '30'];
/** The exit code of an experiment that this machine cannot make. As with tests that lack a service, only CI takes it for a failure. */
const impossible = 3;

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

/**
 * All at once: system tests, and even more the experiment, mostly wait for what they have started. What they say comes when the unit
 * tests are through.
 */
async function runTests() {
  const system = start(['vitest', 'run', '--project', 'system'], 'pipe');
  const experiment = start(['node', 'scripts/chaos.mjs', ...chaos], 'pipe');
  const unit = start(['vitest', 'run', '--project', 'unit'], 'inherit');
  announce(unit.words);
  const units = await unit.ended;
  const experiments = await experiment.ended;
  announce(experiment.words);
  process.stdout.write(experiments.status === 0 ? summaryOf(experiments.said) : experiments.said);
  const systems = await system.ended;
  announce(system.words);
  process.stdout.write(systems.said);
  for (const { words, status, signal } of [units, experiments, systems]) {
    const cannotBe = words.includes('scripts/chaos.mjs') && status === impossible && !process.env['CI'];
    if (status !== 0 && !cannotBe) fail(words.join(' '), status, signal);
  }
}

/** An experiment in which all went well is told of without its single faults. */
function summaryOf(said) {
  const text = said.toString();
  return text.slice(Math.max(0, text.indexOf('\nCommit ') + 1));
}

function start([tool, ...words], output) {
  const child = spawn(program(tool), words, {
    cwd: root,
    stdio: ['ignore', output, output],
    env: { ...process.env, SHEAF_BUILT: '1' },
  });
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
  return tool === 'node' ? process.execPath : join(root, 'node_modules/.bin', tool);
}

function announce(words) {
  console.log(`\n> ${words.join(' ')}`);
}

function fail(what, status, signal) {
  console.error(`${what} failed (${signal ?? `exit ${status}`}).`);
  process.exit(1);
}
