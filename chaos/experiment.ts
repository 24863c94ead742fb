/** One experiment from the first run to the last check. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Network, Postgres } from '@sheaf/testkit';
import { chooseFault, faults } from './faults.ts';
import { violations } from './invariants.ts';
import { chance, type Chance } from './random.ts';
import { Rest } from './rest.ts';
import type { ChaosSettings } from './settings.ts';
import { Site, workerTimeout } from './site.ts';
import { killSometime, submit } from './submit.ts';
import { planRuns, type PlannedRun } from './workload.ts';

export interface Outcome {
  readonly runs: number;
  readonly faults: ReadonlyMap<string, number>;
  /** How often a run was begun again because of what went wrong. */
  readonly restarts: number;
  readonly violations: readonly string[];
  /** Where everything is kept, if it was to be. */
  readonly directory: string;
}

export interface Services {
  readonly network: Network;
  readonly postgres: Postgres | undefined;
}

/** Seconds after the last fault in which everything must have ended. */
const calm = 180;

export async function experiment(
  settings: ChaosSettings,
  services: Services,
  say: (line: string) => void,
): Promise<Outcome> {
  const source = chance(settings.seed);
  const [workSource, faultSource, killSource] = [source.branch(), source.branch(), source.branch()];
  const planned = planRuns(workSource, Math.max(1, Math.round(settings.rate * settings.minutes)));
  const site = await Site.open(settings, services);
  let keep = settings.keep;
  try {
    site.start();
    const rest = new Rest(site);
    const worksheet = await makeWorksheet(rest);
    site.startWorkers();
    const end = performance.now() + settings.minutes * 60_000;
    const struck = new Map<string, number>();
    const [kills] = await Promise.all([
      submitAll(rest, worksheet, planned, { until: end, chance: killSource }),
      breakThings(site, faultSource, { until: end, struck, say }),
    ]);
    say(`${planned.length} runs submitted; all faults are mended; waiting for the rest`);
    await Promise.all(kills);
    await quiet(rest, planned, say);
    const found = await violations(site, rest, planned);
    keep ||= found.length > 0;
    return {
      runs: planned.length,
      faults: struck,
      restarts: await countRestarts(rest, planned),
      violations: found,
      directory: keep ? site.directory : '',
    };
  } finally {
    await site.close({ keep });
  }
}

async function makeWorksheet(rest: Rest): Promise<string> {
  const { data } = await rest.ask<{ data: { id: string }[] }>('POST', '/worksheets', {
    data: [{ type: 'worksheets', attributes: { name: 'chaos' } }],
  });
  return data[0]?.id ?? '';
}

/** Spread over the time, in order, because later ones depend on earlier ones. Answers the kills that are still to come. */
async function submitAll(
  rest: Rest,
  worksheet: string,
  planned: readonly PlannedRun[],
  { until, chance: source }: { until: number; chance: Chance },
): Promise<Promise<void>[]> {
  const kills: Promise<void>[] = [];
  for (const [at, run] of planned.entries()) {
    await submit(rest, worksheet, run, planned);
    if (run.ending.kind === 'killed') kills.push(killSometime(rest, run, source.branch()));
    await sleep(Math.max(0, (until - performance.now()) / (planned.length - at)));
  }
  return kills;
}

async function breakThings(
  site: Site,
  source: Chance,
  { until, struck, say }: { until: number; struck: Map<string, number>; say: (line: string) => void },
): Promise<void> {
  const began = performance.now();
  const mending: Promise<void>[] = [];
  while (performance.now() < until) {
    await sleep(source.between(1000, 5000));
    const fault = chooseFault(faults, source);
    const { what, over } = fault.strike(site, source);
    mending.push(over);
    struck.set(fault.name, (struck.get(fault.name) ?? 0) + 1);
    say(`${((performance.now() - began) / 1000).toFixed(1)} s: ${what}`);
  }
  await Promise.all(mending);
  // Two faults of one program may have mended it the wrong way round.
  for (const { program, host } of site.workers) {
    program.resume();
    host.heal();
    program.start();
  }
  site.server.resume();
  site.server.start();
}

/** Returns when every run is final and the workers have let go of all, or the time for that is over. */
async function quiet(rest: Rest, planned: readonly PlannedRun[], say: (line: string) => void): Promise<void> {
  const deadline = performance.now() + calm * 1000;
  let open = [...planned];
  while (performance.now() < deadline) {
    const still: PlannedRun[] = [];
    for (const run of open) {
      const { state } = await rest.bundle(run.uuid);
      if (state !== 'ready' && state !== 'failed' && state !== 'killed') still.push(run);
    }
    open = still;
    if (open.length === 0) break;
    await sleep(500);
  }
  say(open.length === 0 ? 'every run is final' : `${open.length} runs are not final`);
  // Workers hear at their next contact what is over; twice the time after which one counts as gone is ample.
  await sleep(2 * workerTimeout * 1000);
}

async function countRestarts(rest: Rest, planned: readonly PlannedRun[]): Promise<number> {
  let count = 0;
  for (const run of planned) {
    const events = await rest.events(run.uuid);
    count += events.filter(({ kind }) => kind === 'restaged' || kind === 'returned').length;
  }
  return count;
}
