/** What must hold when everything has been put right again and all is quiet (docs/chaos.md). */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleAttributes } from '@sheaf/wire';
import type { Rest } from './rest.ts';
import type { Site } from './site.ts';
import type { PlannedRun } from './workload.ts';

const finalStates = new Set(['ready', 'failed', 'killed']);
const finalKinds = new Set(['finished', 'failed']);

/** Sentences about what is wrong; none is what we want. */
export async function violations(site: Site, rest: Rest, runs: readonly PlannedRun[]): Promise<string[]> {
  const found: string[] = [];
  let size = 0;
  for (const run of runs) {
    const bundle = await rest.bundle(run.uuid);
    size += Number(bundle.metadata?.['data_size'] ?? 0);
    found.push(...(await problemsOf(rest, run, bundle)));
  }
  found.push(...(await accounting(rest, size)));
  found.push(...(await leftOnServer(rest)));
  for (const { program, disk } of site.workers) found.push(...leftOnWorker(program.name, disk));
  found.push(...leftOnMachine(site));
  return found;
}

async function problemsOf(rest: Rest, run: PlannedRun, bundle: BundleAttributes): Promise<string[]> {
  const { state, metadata } = bundle;
  const name = `run ${run.number} (${run.uuid})`;
  const message = String(metadata?.['failure_message'] ?? '');
  const told = `${name} is ${state}${message === '' ? '' : `: ${message}`}`;
  if (!finalStates.has(state ?? '')) return [`${told}, which is not final`];
  const problems: string[] = [];
  const { ending } = run;
  if (ending.kind === 'ready' && state !== 'ready') problems.push(`${told}; it should be ready`);
  if (ending.kind === 'failed' && (state !== 'failed' || !message.includes(ending.message)))
    problems.push(`${told}; it should have failed with "${ending.message}"`);
  if (ending.kind === 'killed' && state !== 'killed') problems.push(`${told}; it should be killed`);
  const output = await rest.file(run.uuid, 'out');
  // A run that was killed may never have come so far, or been killed in the middle of writing.
  const mustHaveOutput = ending.kind !== 'killed';
  const allowed = mustHaveOutput ? [run.output] : [run.output, '', undefined];
  if (!allowed.includes(output)) {
    problems.push(`${name} holds ${JSON.stringify(output)} instead of ${JSON.stringify(run.output)}`);
  }
  const ends = (await rest.events(run.uuid)).filter(({ kind }) => finalKinds.has(kind));
  if (ends.length !== 1) problems.push(`${name} ended ${ends.length} times`);
  return problems;
}

async function accounting(rest: Rest, size: number): Promise<string[]> {
  const { data } = await rest.ask<{ data: { attributes: { disk_used: number } } }>('GET', '/user');
  const { disk_used: used } = data.attributes;
  return used === size ? [] : [`The account holds ${used} bytes, its bundles ${size}`];
}

async function leftOnServer(rest: Rest): Promise<string[]> {
  const { data } = await rest.ask<{ data: { worker_id: string; run_uuids: string[] }[] }>(
    'GET',
    '/workers/info',
  );
  return data
    .filter(({ run_uuids: uuids }) => uuids.length > 0)
    .map(({ worker_id: id, run_uuids: uuids }) => `The server still counts ${uuids.join(', ')} on ${id}`);
}

function leftOnWorker(name: string, disk: string): string[] {
  const found: string[] = [];
  const runs = join(disk, 'work', 'runs');
  if (existsSync(runs)) {
    for (const left of readdirSync(runs)) found.push(`The directory of ${left} is left on ${name}`);
  }
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  for (const mount of mounts) {
    if (mount.split(' ')[1]?.startsWith(`${disk}/`) === true)
      found.push(`A mount is left on ${name}: ${mount}`);
  }
  return found;
}

/** Processes whose working directory or command line is a run's. */
function leftOnMachine(site: Site): string[] {
  const listed = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return listed
    .filter((line) => line.includes(site.directory) && /\bruns\/0x/u.test(line))
    .map((line) => `A process is left: ${line.trim()}`);
}
