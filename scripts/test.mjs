// `npm test`: installs, builds, checks the code, runs every test. Arguments are passed on to vitest (and then only tests run).
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { build } from './build.mjs';
import { ensureInstalled } from './installed.mjs';
import { root } from './root.mjs';

/** One experiment with random faults (docs/chaos.md): slow enough to leave the machine to the tests. */
const chaos = ['--seed', '7', '--minutes', '3', '--rate', '30'];
/** The exit code of an experiment that this machine cannot make. As with tests that lack a service, only CI takes it for a failure. */
const impossible = 3;
/** Characters of the failures of one program that are told again at the end. */
const longest = 5_000;

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
  const system = start(['vitest', 'run', '--project', 'system']);
  const experiment = start(['node', 'scripts/chaos.mjs', ...chaos]);
  announce(['vitest', 'run', '--project', 'unit']);
  const unit = start(['vitest', 'run', '--project', 'unit'], process.stdout);
  const units = await unit.ended;
  const experiments = await experiment.ended;
  announce(experiment.words);
  process.stdout.write(experiments.status === 0 ? summaryOf(experiments.said) : experiments.said);
  const systems = await system.ended;
  announce(system.words);
  process.stdout.write(systems.said);
  const failed = [units, experiments, systems].filter(({ words, status }) => {
    const cannotBe = words.includes('scripts/chaos.mjs') && status === impossible && !process.env['CI'];
    return status !== 0 && !cannotBe;
  });
  for (const { words, status, signal, said } of failed) {
    console.error(
      `\n${words.join(' ')} failed (${signal ?? `exit ${status}`}):\n${failuresOf(said.toString())}`,
    );
  }
  if (failed.length > 0) process.exit(1);
}

/** Of what vitest said, its failures: they are repeated at the very end, where whoever keeps only the end of a log has them. */
function failuresOf(said) {
  const plain = stripVTControlCharacters(said);
  const start = plain.search(/^.*(Failed (Suites|Tests) \d+|Unhandled Errors)/m);
  return plain.slice(start < 0 ? -longest : start).slice(0, longest);
}

/** An experiment in which all went well is told of without its single faults. */
function summaryOf(said) {
  const text = said.toString();
  return text.slice(Math.max(0, text.indexOf('\nCommit ') + 1));
}

/** @param heard where to, what it says goes at once; it is kept in any case. */
function start([tool, ...words], heard) {
  const child = spawn(program(tool), words, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SHEAF_BUILT: '1' },
  });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece) => {
      said.push(piece);
      heard?.write(piece);
    });
  }
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
