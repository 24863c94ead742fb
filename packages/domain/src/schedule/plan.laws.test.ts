import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { success } from '../outcome.ts';
import { plan } from './testing/plan.ts';
import { hintsPerWorker, type PlanInput, type PlanWorker, type StagedRun } from './plan-types.ts';
import { planInput as input, user, users } from './testing/inputs.ts';

/** What the plan puts on a worker. */
function load(given: PlanInput, key: string): { cpus: number; gpus: number; memory: number; runs: number } {
  const runs = new Map(given.runs.map((one) => [one.uuid, one]));
  const sum = { cpus: 0, gpus: 0, memory: 0, runs: 0 };
  for (const assignment of plan(given).assignments) {
    const resources = runs.get(assignment.run)?.request;
    if (assignment.worker !== key || resources?.ok !== true) continue;
    sum.cpus += resources.value.cpus;
    sum.gpus += resources.value.gpus;
    sum.memory += resources.value.memory;
    sum.runs += 1;
  }
  return sum;
}

function isNear(target: PlanWorker, userId: string): boolean {
  return target.ownerId === userId || target.members.has(userId);
}

/** Everything a worker has to be for a run, resources aside. */
function expectSuited(one: StagedRun, target: PlanWorker): void {
  if (!one.request.ok) throw new Error('an unreadable run was assigned');
  const { queue, imageRequested, disk } = one.request.value;
  if (queue === '') expect(target.tagExclusive && target.tag !== null).toBe(false);
  else expect([target.tag, `tag=${target.tag}`]).toContain(queue);
  expect(target.images || !imageRequested).toBe(true);
  if (disk > 0) expect(target.freeDisk ?? 0).toBeGreaterThanOrEqual(disk);
  expect(one.avoid.has(target.key)).toBe(false);
  expect(['root', one.ownerId, ...one.controllers]).toContain(target.ownerId);
}

/** What decides where a run may go. */
function shape(one: StagedRun): unknown {
  if (!one.request.ok) return one.uuid;
  const { cpus, gpus, memory, disk, queue, imageRequested } = one.request.value;
  return { cpus, gpus, memory, disk, queue, imageRequested, avoid: one.avoid, controllers: one.controllers };
}

/** Everybody's, and shared by nobody in particular. */
const poolWorker: PlanWorker = {
  key: 'pool',
  ownerId: 'nobody',
  members: new Set(),
  tag: null,
  tagExclusive: false,
  cpus: 0,
  gpus: 0,
  memory: 1000,
  freeDisk: null,
  cpusInUse: 0,
  gpusInUse: 0,
  memoryInUse: 0,
  assignedRuns: 0,
  slots: null,
  runsLeft: 1000,
  terminating: false,
  images: true,
  sharedFileSystem: false,
  cachedDependencies: new Set(),
  cachesContents: true,
  takesHints: true,
};

describe('for any runs and workers, a plan', () => {
  it('usually has both assignments and waiting runs in these tests', () => {
    const plans = fc.sample(input, { numRuns: 300, seed: 1 }).map((given) => plan(given));
    expect(plans.filter(({ assignments }) => assignments.length > 3).length).toBeGreaterThan(70);
    expect(plans.filter(({ reasons }) => reasons.size > 3).length).toBeGreaterThan(70);
  });

  it('never gives a worker more than it has', () => {
    fc.assert(
      fc.property(input, (given) => {
        for (const one of given.workers) {
          const { cpus, gpus, memory, runs } = load(given, one.key);
          if (runs === 0) continue;
          expect(cpus + one.cpusInUse).toBeLessThanOrEqual(one.cpus);
          expect(memory + one.memoryInUse).toBeLessThanOrEqual(one.memory);
          if (gpus > 0) expect(gpus + one.gpusInUse).toBeLessThanOrEqual(one.gpus);
          expect(runs).toBeLessThanOrEqual(one.runsLeft);
          if (one.slots !== null) expect(runs + one.assignedRuns).toBeLessThanOrEqual(one.slots);
          expect(one.terminating).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('answers for every run exactly once, with a sentence for those that wait', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { assignments, reasons, unreadable } = plan(given);
        const answered = [
          ...assignments.map((assignment) => assignment.run),
          ...reasons.keys(),
          ...unreadable.keys(),
        ];
        expect(answered.toSorted()).toEqual(given.runs.map(({ uuid }) => uuid).toSorted());
        for (const reason of reasons.values())
          expect(reason).toMatch(/^(No worker can meet|You have \d+ run|Your quota allows).{40,}\.$/);
        for (const [uuid] of unreadable)
          expect(given.runs.find((one) => one.uuid === uuid)?.request.ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps to tags, images, disks, permissions and the parallel quota', () => {
    fc.assert(
      fc.property(input, (given) => {
        const used = new Map<string, number>();
        for (const assignment of plan(given).assignments) {
          const one = given.runs.find(({ uuid }) => uuid === assignment.run);
          const target = given.workers.find(({ key }) => key === assignment.worker);
          if (one === undefined || target === undefined) throw new Error('unknown');
          expectSuited(one, target);
          const near = isNear(target, one.ownerId);
          expect(near || isNear(target, 'root')).toBe(true);
          const before = used.get(one.ownerId) ?? 0;
          if (!near) expect(before).toBeLessThan(given.parallelRunsLeft.get(one.ownerId) ?? 0);
          if (target.ownerId !== one.ownerId) used.set(one.ownerId, before + 1);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('leaves no run waiting that a worker could still take', () => {
    fc.assert(
      fc.property(input, (given) => {
        const first = plan(given);
        const workers = given.workers.map((one) => {
          const { cpus, gpus, memory, runs } = load(given, one.key);
          return {
            ...one,
            cpusInUse: one.cpusInUse + cpus,
            gpusInUse: one.gpusInUse + gpus,
            memoryInUse: one.memoryInUse + memory,
            assignedRuns: one.assignedRuns + runs,
            runsLeft: one.runsLeft - runs,
          };
        });
        const parallelRunsLeft = new Map(given.parallelRunsLeft);
        for (const { run: uuid, worker: key } of first.assignments) {
          const ownerId = given.runs.find((one) => one.uuid === uuid)?.ownerId ?? '';
          if (given.workers.find((one) => one.key === key)?.ownerId === ownerId) continue;
          parallelRunsLeft.set(ownerId, (parallelRunsLeft.get(ownerId) ?? 0) - 1);
        }
        const runs = given.runs.filter(({ uuid }) => first.reasons.has(uuid));
        expect(plan({ ...given, runs, workers, parallelRunsLeft }).assignments).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('is the same every time and touches nothing it was given', () => {
    fc.assert(
      fc.property(input, (given) => {
        const before = structuredClone({ ...given, tieBreak: null });
        const first = plan(given);
        expect(plan(given)).toEqual(first);
        expect({ ...given, tieBreak: null }).toEqual(before);
      }),
    );
  });

  it('serves nobody’s runs before older or more urgent ones of the same user that ask for the same', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { assignments, reasons } = plan(given);
        const at = (uuid: string): number => assignments.findIndex((assignment) => assignment.run === uuid);
        for (const [place, one] of given.runs.entries()) {
          for (const later of given.runs.slice(place + 1)) {
            if (one.ownerId !== later.ownerId || !one.request.ok || !later.request.ok) continue;
            const [first, second] =
              later.request.value.priority > one.request.value.priority ? [later, one] : [one, later];
            if (assignmentOf(first) !== undefined && assignmentOf(second) !== undefined) {
              expect(at(first.uuid)).toBeLessThan(at(second.uuid));
            }
            // What waits behind asks for something else, or may go elsewhere.
            if (reasons.has(first.uuid) && !reasons.has(second.uuid)) {
              expect(shape(first)).not.toEqual(shape(second));
            }
          }
        }
        function assignmentOf({ uuid }: StagedRun): unknown {
          return assignments.find((assignment) => assignment.run === uuid);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('shares fairly: nobody gets a run while somebody waits who has two less of the same', () => {
    const crowd = fc.record({
      owners: fc.array(user, { minLength: 1, maxLength: 60, size: 'max' }),
      elsewhere: fc.array(fc.nat(8), { minLength: users.length, maxLength: users.length }),
      cpus: fc.integer({ min: 0, max: 20 }),
    });
    fc.assert(
      fc.property(crowd, ({ owners, elsewhere, cpus }) => {
        const had = new Map(users.map((name, at) => [name, elsewhere[at] ?? 0]));
        const template = { dependencies: [], avoid: new Set<string>(), controllers: new Set<string>() };
        const given: PlanInput = {
          runs: owners.map((ownerId, number) => ({
            ...template,
            uuid: `r${number}`,
            ownerId,
            request: success({
              cpus: 1,
              gpus: 0,
              memory: 1,
              disk: 0,
              time: 0,
              image: 'i:latest',
              imageRequested: false,
              network: true,
              sharedMemory: undefined,
              queue: '',
              priority: number % 3,
            }),
          })),
          workers: [{ ...poolWorker, cpus }],
          parallelRunsLeft: new Map(),
          runsElsewhere: had,
          turnsTaken: new Map(),
          rootUserId: 'nobody',
          tieBreak: () => 0,
        };
        const { assignments, reasons } = plan(given);
        expect(assignments.length).toBe(Math.min(cpus, owners.length));
        const ownerOf = (uuid: string): string => owners[Number(uuid.slice(1))] ?? '';
        const has = new Map(had);
        const got = new Set<string>();
        for (const assignment of assignments) {
          const owner = ownerOf(assignment.run);
          has.set(owner, (has.get(owner) ?? 0) + 1);
          got.add(owner);
        }
        const waiting = new Set([...reasons.keys()].map(ownerOf));
        for (const lucky of got) {
          for (const poor of waiting) {
            expect(has.get(lucky) ?? 0).toBeLessThanOrEqual((has.get(poor) ?? 0) + 1);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('hints only at protocol 2 workers, a few runs each, and only at runs that wait', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { hints, reasons } = plan(given);
        const byWorker = new Map<string, number>();
        for (const hint of hints) {
          const target = given.workers.find(({ key }) => key === hint.worker);
          const one = given.runs.find(({ uuid }) => uuid === hint.run);
          if (target === undefined || one === undefined) throw new Error('unknown');
          expect(target.takesHints && !target.terminating).toBe(true);
          expect(reasons.has(hint.run)).toBe(true);
          expectSuited(one, target);
          byWorker.set(hint.worker, (byWorker.get(hint.worker) ?? 0) + 1);
        }
        expect(new Set(hints.map((hint) => hint.run)).size).toBe(hints.length);
        for (const count of byWorker.values()) expect(count).toBeLessThanOrEqual(hintsPerWorker);
      }),
      { numRuns: 500 },
    );
  });
});
