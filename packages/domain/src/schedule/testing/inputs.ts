import fc from 'fast-check';
import { failure, success } from '../../outcome.ts';
import type { PlanInput, PlanWorker, StagedRun } from '../plan-types.ts';

/*
 * The generators are kept generous (most workers are root's, most runs fit most workers), so that plans assign a lot and the
 * laws have something to hold for; `plan.laws.test.ts` watches over that.
 */

export const users = ['root', 'alice', 'bob', 'carol'];
export const user = fc.constantFrom(...users);
const userSet = fc.subarray(users).map((list) => new Set(list));

function mostly<Value>(usual: Value, other: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });
}
const dependencyKeys = ['0x1/', '0x2/a', '0x3/'];
const workerKeys = ['w0', 'w1', 'w2', 'w3', 'w4'];

const request = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .record({
        cpus: fc.integer({ min: 1, max: 4 }),
        gpus: mostly(0, fc.integer({ min: 1, max: 2 })),
        memory: fc.integer({ min: 1, max: 4 }),
        disk: mostly(0, fc.integer({ min: 1, max: 4 })),
        time: fc.constant(0),
        image: fc.constant('i:latest'),
        imageRequested: mostly(false, fc.constant(true)),
        network: fc.boolean(),
        sharedMemory: fc.constant(undefined),
        queue: mostly('', fc.constantFrom('x', 'tag=x', 'y', 'tag=')),
        priority: fc.integer({ min: -1, max: 2 }),
      })
      .map((value) => success(value)),
  },
  { weight: 1, arbitrary: fc.constant(failure('Invalid size: x')) },
);

const stagedRun: fc.Arbitrary<Omit<StagedRun, 'uuid'>> = fc.record({
  ownerId: user,
  request,
  dependencies: fc.subarray(dependencyKeys).map((keys) => keys.map((key) => ({ key, bytes: key.length }))),
  avoid: mostly(
    new Set<string>(),
    fc.subarray(workerKeys).map((keys) => new Set(keys)),
  ),
  controllers: userSet,
});

const planWorker: fc.Arbitrary<Omit<PlanWorker, 'key'>> = fc.record({
  ownerId: mostly('root', user),
  members: mostly(new Set<string>(), userSet),
  tag: mostly<string | null>(null, fc.constantFrom('x', 'y')),
  tagExclusive: mostly(false, fc.constant(true)),
  cpus: mostly(12, fc.integer({ min: 0, max: 24 })),
  gpus: fc.integer({ min: 0, max: 3 }),
  memory: mostly(20, fc.integer({ min: 0, max: 32 })),
  freeDisk: fc.option(fc.integer({ min: 0, max: 8 })),
  cpusInUse: mostly(0, fc.integer({ min: 0, max: 4 })),
  gpusInUse: fc.integer({ min: 0, max: 3 }),
  memoryInUse: mostly(0, fc.integer({ min: 0, max: 8 })),
  assignedRuns: fc.integer({ min: 0, max: 3 }),
  slots: mostly<number | null>(null, fc.integer({ min: 0, max: 6 })),
  runsLeft: mostly(1000, fc.integer({ min: 0, max: 3 })),
  terminating: mostly(false, fc.constant(true)),
  images: mostly(true, fc.constant(false)),
  sharedFileSystem: fc.boolean(),
  cachedDependencies: fc.subarray(dependencyKeys).map((keys) => new Set(keys)),
  cachesContents: fc.boolean(),
  takesHints: fc.boolean(),
});

export const planInput: fc.Arbitrary<PlanInput> = fc
  .record({
    runs: fc.array(stagedRun, { maxLength: 25, size: 'max' }),
    workers: fc.array(planWorker, { maxLength: workerKeys.length, size: 'max' }),
    left: fc.array(mostly(100, fc.integer({ min: -1, max: 4 })), {
      minLength: users.length,
      maxLength: users.length,
    }),
    elsewhere: fc.array(fc.nat(3), { minLength: users.length, maxLength: users.length }),
    ties: fc.array(fc.nat(3), { minLength: workerKeys.length, maxLength: workerKeys.length }),
  })
  .map(({ runs, workers, left, elsewhere, ties }) => ({
    runs: runs.map((given, number) => ({ ...given, uuid: `r${number}` })),
    workers: workers.map((given, number) => ({ ...given, key: workerKeys[number] ?? '' })),
    parallelRunsLeft: new Map(users.map((name, at) => [name, left[at] ?? 0])),
    runsElsewhere: new Map(users.map((name, at) => [name, elsewhere[at] ?? 0])),
    turnsTaken: new Map(users.map((name, at) => [name, elsewhere[(at + 1) % users.length] ?? 0])),
    rootUserId: 'root',
    tieBreak: ({ key }: PlanWorker) => ties[workerKeys.indexOf(key)] ?? 0,
  }));
