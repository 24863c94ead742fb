/** One experiment from the first run to the last check. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SkipReason, type Network, type Postgres } from '@sheaf/testkit';
import { image } from './engine.ts';
import { watchChanges } from './evidence/changes.ts';
import { gather, type Subject } from './evidence/gather.ts';
import { eventsIn, workLeft } from './evidence/server.ts';
import type { Sql } from './evidence/sql.ts';
import { faultsFor } from './faults/all.ts';
import { chooseFault, type Fault } from './faults/fault.ts';
import { violations } from './invariants/invariants.ts';
import { makeOwners, type Owner } from './owners.ts';
import { chance, type Chance } from './random.ts';
import type { ChaosSettings } from './settings.ts';
import { forgetGroupsOf } from './evidence/machine.ts';
import { Site, workerTimeout } from './site.ts';
import { killSometime, submit } from './submit.ts';
import { planRuns, planSqueeze, type PlannedRun } from './workload.ts';

export interface Outcome {
  readonly runs: number;
  /** By state. */
  readonly ends: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  /** How often attempts came to nothing because of what went wrong, by cause or by what became of them. */
  readonly restarts: ReadonlyMap<string, number>;
  /** Programs that ended by themselves, and how. */
  readonly ownEnds: ReadonlyMap<string, number>;
  readonly violations: readonly string[];
  /** Where everything is kept, if it was to be. */
  readonly directory: string;
}

export interface Services {
  readonly network: Network;
  readonly postgres: Postgres | undefined;
}

type Say = (line: string) => void;

/** Seconds after the last fault in which everything must have ended. */
const calm = 180;
/** Seconds in which workers have to be there at first, and to let go of everything at last. */
const beginning = 60;
const settling = 4 * workerTimeout;

export async function experiment(settings: ChaosSettings, services: Services, say: Say): Promise<Outcome> {
  const site = await Site.open(settings, services);
  let keep = true;
  try {
    const outcome = await conduct(settings, site, say);
    keep = settings.keep || outcome.violations.length > 0;
    return { ...outcome, directory: keep ? site.directory : '' };
  } catch (error) {
    if (error instanceof SkipReason) keep = false;
    else say(`Everything is kept in ${site.directory}`);
    throw error;
  } finally {
    await site.close({ keep });
  }
}

async function conduct(settings: ChaosSettings, site: Site, say: Say): Promise<Omit<Outcome, 'directory'>> {
  const source = chance(settings.seed);
  const [workSource, faultSource, killSource] = [source.branch(), source.branch(), source.branch()];
  const planned = planRuns(workSource, Math.max(1, Math.round(settings.rate * settings.minutes)));
  const last = planSqueeze(
    workSource,
    planned.length,
    site.workers.map(({ program }) => program.name),
  );
  const all = [...planned, ...last];
  forgetGroupsOf(new Set(all.map(({ uuid }) => uuid)));
  const place = settings.runtime === 'docker' ? image : '';
  site.start();
  const owners = await makeOwners(site);
  const sql = await site.database();
  watchChanges(sql, settings.database);
  site.startWorkers();
  await everybodyIsThere(site, sql);
  const until = performance.now() + settings.minutes * 60_000;
  const submitting = { owners, all, place, chance: killSource };
  const [kills, struck] = await Promise.all([
    submitAll(planned, submitting, until),
    breakThings(faultsFor(settings), { site, source: faultSource, until, say }),
  ]);
  site.mend();
  say(`${planned.length} runs submitted; all faults are mended; waiting for the rest`);
  await Promise.all(kills);
  await quiet(sql, planned, say);
  // None of the last ones is to be killed.
  await Promise.all(await submitAll(last, submitting, performance.now()));
  await quiet(sql, last, say);
  await settled(site, sql);
  const possible = new Set([...struck].flatMap(([fault]) => fault.causes));
  const evidence = await gather({ site, sql, owners, planned: all, possible } satisfies Subject);
  return {
    runs: all.length,
    ends: counted(evidence.runs.map(({ state }) => state)),
    faults: new Map([...struck].map(([fault, count]) => [fault.name, count])),
    restarts: counted(restartsIn(sql)),
    ownEnds: counted(
      [site.server, ...site.workers.map(({ program }) => program)].flatMap(({ name, ownEnds }) =>
        ownEnds.map((end) => `${name} (${end})`),
      ),
    ),
    violations: violations(evidence),
  };
}

/** @throws SkipReason nothing can be executed on this machine; Error with the last words of one that does not begin */
async function everybodyIsThere(site: Site, sql: Sql): Promise<void> {
  const deadline = performance.now() + beginning * 1000;
  for (;;) {
    const there = new Set(
      sql.rows<{ worker_id: string }>('select worker_id from worker').map((row) => row.worker_id),
    );
    const missing = site.workers.find(({ program }) => !there.has(program.name));
    if (missing === undefined) return;
    const lastWords = site.lastWordsOf(missing.program);
    const reason = /^No (?:sandbox|container engine) can be .*/mu.exec(lastWords)?.[0];
    if (reason !== undefined) throw new SkipReason('runs that can be executed', reason);
    if (performance.now() > deadline)
      throw new Error(`Worker ${missing.program.name} does not begin:\n${lastWords}`);
    await sleep(200);
  }
}

interface Submitting {
  readonly owners: readonly [Owner, ...Owner[]];
  readonly all: readonly PlannedRun[];
  /** The image to execute in; empty for none. */
  readonly place: string;
  readonly chance: Chance;
}

/** Spread over the time, in order, because later ones depend on earlier ones. Answers the kills that are still to come. */
async function submitAll(
  planned: readonly PlannedRun[],
  { owners, all, place, chance: source }: Submitting,
  until: number,
): Promise<Promise<void>[]> {
  const kills: Promise<void>[] = [];
  for (const [at, run] of planned.entries()) {
    const owner = owners[run.owner] ?? owners[0];
    await submit(owner, run, all, place);
    if (run.ending.kind === 'killed') kills.push(killSometime(owner.rest, run, source.branch()));
    await sleep(Math.max(0, (until - performance.now()) / (planned.length - at)));
  }
  return kills;
}

/** Answers how often each fault struck, when all are over. */
async function breakThings(
  faults: readonly Fault[],
  { site, source, until, say }: { site: Site; source: Chance; until: number; say: Say },
): Promise<Map<Fault, number>> {
  const began = performance.now();
  const struck = new Map<Fault, number>();
  const mending: Promise<void>[] = [];
  while (performance.now() < until) {
    await sleep(source.between(1000, 5000));
    const fault = chooseFault(faults, source);
    const { what, over } = fault.strike(site, source);
    mending.push(over);
    // Looked at only when all are over, which may be minutes later.
    over.catch(() => undefined);
    struck.set(fault, (struck.get(fault) ?? 0) + 1);
    say(`${((performance.now() - began) / 1000).toFixed(1)} s: ${what}`);
  }
  await Promise.all(mending);
  return struck;
}

/** Returns when every run is final, or the time for that is over. */
async function quiet(sql: Sql, planned: readonly PlannedRun[], say: Say): Promise<void> {
  const deadline = performance.now() + calm * 1000;
  const uuids = new Set(planned.map(({ uuid }) => uuid));
  for (;;) {
    const open = sql
      .rows<{ uuid: string }>(`select uuid from bundle where state not in ('ready', 'failed', 'killed')`)
      .filter(({ uuid }) => uuids.has(uuid));
    if (open.length === 0) return;
    if (performance.now() > deadline) return say(`${open.length} runs are not final`);
    await sleep(500);
  }
}

/** Returns when server and workers have let go of all runs, or the time for that is over: whatever is left then is a violation. */
async function settled(site: Site, sql: Sql): Promise<void> {
  const deadline = performance.now() + settling * 1000;
  const isBusy = () => {
    const { assignments, messages } = workLeft(sql, site.home);
    return (
      assignments.length + messages.length > 0 ||
      site.workers.some(({ disk }) => holdsRuns(join(disk, 'work')))
    );
  };
  while (isBusy() && performance.now() < deadline) await sleep(500);
}

function holdsRuns(work: string): boolean {
  return ['runs', 'runs-state', 'trash'].some((name) => {
    const directory = join(work, name);
    return existsSync(directory) && readdirSync(directory).length > 0;
  });
}

function restartsIn(sql: Sql): string[] {
  const kinds = new Set(['restaged', 'returned', 'preempted', 'offline']);
  return [...eventsIn(sql).values()]
    .flat()
    .filter(({ kind }) => kinds.has(kind))
    .map(({ kind, cause }) => cause ?? kind);
}

function counted(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
