import { cpus, release, totalmem } from 'node:os';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../tests/support/programs.ts';
import { commandStart } from './command-start.ts';
import { dependencies } from './dependencies.ts';
import { idle } from './idle.ts';
import { manyFiles } from './many-files.ts';
import type { Measurement, Row } from './measure.ts';
import { reach } from './reach.ts';
import { runLatency } from './run-latency.ts';
import { trueRuns } from './true-runs.ts';
import { throughput } from './throughput.ts';
import { backlog } from './backlog.ts';
import { hugeStream } from './huge-stream.ts';
import { largeFile } from './large-file.ts';

const measurements: readonly Measurement[] = [
  commandStart,
  idle,
  runLatency,
  trueRuns,
  reach,
  dependencies,
  largeFile,
  manyFiles,
  hugeStream,
  throughput,
  backlog,
];

const wanted = process.argv.slice(2);
const chosen = measurements.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (chosen.length === 0) {
  console.error(`Choose among: ${measurements.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const rows: Row[] = [];
for (const measurement of chosen) {
  console.error(`Measuring ${measurement.name} …`);
  const measured = await measurement.run();
  for (const { what, ours, floor } of measured) console.error(`  ${what}: ${ours}; ${floor}`);
  rows.push(...measured);
}

const table = [
  '| What | Sheaf | Floor or peer, same run | Bound | Holds |',
  '|---|---|---|---|---|',
  ...rows.map(
    ({ what, ours, floor, bound, holds }) =>
      `| ${what} | ${ours} | ${floor} | ${bound} | ${holds ? 'yes' : '**no**'} |`,
  ),
].join('\n');
console.log(table);

if (wanted.length === 0) {
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}, Node ${process.version}`;
  writeFileSync(
    join(root, 'bench/README.md'),
    `# Measurements\n\n\`npm run bench\` measures and rewrites this page. Last run: ${new Date().toISOString().slice(0, 10)}, ${machine}.\n\n${table}\n`,
  );
}
process.exitCode = rows.every(({ holds }) => holds) ? 0 : 1;
