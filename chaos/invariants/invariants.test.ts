/* Each invariant can be violated: one thing of sound evidence is broken, and it is told. */
import { expect, it } from 'vitest';
import type { BundleEvent, Evidence, RunEvidence, WorkerEvidence } from '../evidence/evidence.ts';
import { violations } from './invariants.ts';
import { attempt, event, soundEvidence } from './sound-evidence.fixture.ts';

const [readyRun, retriedRun, failedRun, killedRun] = [0, 1, 2, 3] as const;

it('finds nothing where nothing is wrong', () => {
  expect(violations(soundEvidence())).toEqual([]);
});

function withRun(number: number, broken: Partial<RunEvidence>): Evidence {
  const sound = soundEvidence();
  return { ...sound, runs: sound.runs.map((run, at) => (at === number ? { ...run, ...broken } : run)) };
}

function told(evidence: Evidence): string {
  return violations(evidence).join('\n');
}

it.each<[string, Partial<RunEvidence>, RegExp, number]>([
  ['is not final', { state: 'running' }, /run 0 .* is running, which is not final/u, readyRun],
  ['is missing', { state: 'missing' }, /run 0 .* is missing, which is not final/u, readyRun],
  [
    'failed although its command did not',
    { state: 'failed', failureMessage: 'Exit code 1' },
    /run 0 .* should be ready/u,
    readyRun,
  ],
  [
    'is ready although its command failed',
    { state: 'ready' },
    /run 2 .* should have failed with "Exit code 3"/u,
    failedRun,
  ],
  [
    'failed in another way',
    { failureMessage: 'no image' },
    /run 2 .*: no image; it should have failed with/u,
    failedRun,
  ],
  ['survived its kill', { state: 'ready' }, /run 3 .* should be killed/u, killedRun],
  [
    'failed with its parent, which did not',
    { state: 'failed', failureMessage: 'Parent bundles failed: x' },
    /run 1 .* should be ready/u,
    retriedRun,
  ],
])('tells of a run that %s', (_what, broken, expected, number) => {
  expect(told(withRun(number, broken))).toMatch(expected);
});

it('lets the platform fail a run only after all promised attempts, and for what the experiment did', () => {
  const spoilt = (times: number): BundleEvent[] =>
    Array.from({ length: times }, (_, at) => [
      ...attempt(at + 1),
      event('restaged', { epoch: at + 1, cause: 'disk-full' }),
    ]).flat();
  const failedAfter = (times: number, cause = 'disk-full') => {
    const events = [
      ...spoilt(times).map((one) => (one.cause === undefined ? one : { ...one, cause })),
      ...attempt(times + 1),
      event('failed', { epoch: times + 1, state: 'failed' }),
    ];
    const failureMessage = `The disk is full. This is not the fault of the command: it was tried ${times + 1} times.`;
    return withRun(readyRun, { state: 'failed', failureMessage, events, epoch: times + 1 });
  };

  expect(violations(failedAfter(3))).toEqual([]);
  expect(told(failedAfter(2))).toMatch(/run 0 .* should be ready/u);
  expect(told(failedAfter(3, 'worker-unfit'))).toMatch(
    /because of worker-unfit, which nothing in the experiment brings about/u,
  );
});

it.each<[string, Partial<RunEvidence>, RegExp, number]>([
  ['is lost', { output: undefined }, /run 0 .* holds undefined instead of/u, readyRun],
  [
    'is another run’s',
    { output: soundEvidence().runs[1]?.output },
    /run 0 .* holds .* instead of/u,
    readyRun,
  ],
  ['is cut off', { bulk: '00' }, /run 0 .* holds a bulk that is 00/u, readyRun],
  ['of a failed run is lost', { output: undefined }, /run 2 .* holds undefined instead of/u, failedRun],
  ['of a killed run is another run’s', { output: 'other' }, /run 3 .* holds "other" instead of/u, killedRun],
  [
    'is larger than what it counts for',
    { storedSize: 200 },
    /run 0 .* counts for 160 bytes, and 200 are stored/u,
    readyRun,
  ],
])('tells of a result that %s', (_what, broken, expected, number) => {
  expect(told(withRun(number, broken))).toMatch(expected);
});

it('tells of contents that are missing or damaged', () => {
  const sound = soundEvidence();
  const store = { ...sound.store, missing: ['ab'], damaged: ['cd: it is shorter'] };

  expect(violations({ ...sound, store })).toEqual([
    'The contents of a bundle are not all there: ab',
    'The contents cd: it is shorter are damaged',
  ]);
});

it('tells of results that are recorded twice, and of runs that change after their end', () => {
  const { changes } = soundEvidence();
  const after = (uuid: string | undefined, more: object): Evidence => {
    const at = changes.findLastIndex((change) => change.uuid === uuid);
    const last = changes[at];
    if (last === undefined) throw new Error('There is no such run');
    return { ...soundEvidence(), changes: changes.toSpliced(at + 1, 0, { ...last, ...more }) };
  };
  const [first] = changes;

  expect(told(after(first?.uuid, { root: 'another' }))).toMatch(/result of .* was changed after its end/u);
  expect(told(after(first?.uuid, { state: 'staged' }))).toMatch(/was ready, and then staged/u);
  expect(told(after(first?.uuid, { epoch: 0 }))).toMatch(/went back from attempt 1 to 0/u);
  const twice = changes.flatMap((change) =>
    change.state === 'finalizing'
      ? [
          { ...change, root: 'one' },
          { ...change, root: 'another' },
        ]
      : [change],
  );
  expect(told({ ...soundEvidence(), changes: twice })).toMatch(
    /result of attempt 1 of .* was recorded twice/u,
  );
  const skipped = changes.filter(({ state }) => state !== 'finalizing');
  expect(told({ ...soundEvidence(), changes: skipped })).toMatch(/went from running to ready/u);
});

const end = event('finished', { epoch: 1, state: 'ready' });
it.each<[string, BundleEvent[], RegExp]>([
  ['ends twice', [...attempt(1), end, end], /ended 2 times/u],
  ['never ends', attempt(1), /ended 0 times/u],
  [
    'ends in another way than the run',
    [...attempt(1), event('failed', { state: 'killed' })],
    /ended killed, and is ready/u,
  ],
  ['leaves an attempt out', [event('assigned', { epoch: 2 }), end], /attempt 2 follows 0/u],
  ['goes back', [...attempt(1), event('restaged', { epoch: 1 }), ...attempt(1), end], /attempt 1 follows 1/u],
  ['begins an attempt for no reason', [...attempt(1), ...attempt(2), end], /attempt 2 has no reason/u],
  [
    'begins what was not given',
    [event('started', { epoch: 0 }), end],
    /attempt 0 is started while it is waiting/u,
  ],
  [
    'runs twice',
    [...attempt(1), event('running', { epoch: 1 }), end],
    /attempt 1 is running while it is running/u,
  ],
  [
    'gives back what nobody has',
    [...attempt(1), event('restaged', { epoch: 1 }), event('restaged', { epoch: 1 }), end],
    /attempt 1 is restaged while it is waiting/u,
  ],
  [
    'goes on after its end',
    [...attempt(1), end, event('restaged', { epoch: 1 })],
    /after its end it is restaged/u,
  ],
  [
    'mixes attempts up',
    [...attempt(1), event('restaged', { epoch: 7 }), end],
    /restaged of attempt 7 during 1/u,
  ],
  ['is staged in the middle', [...attempt(1), event('staged'), end], /staged in the middle/u],
  [
    'tells of fewer attempts than there were',
    [event('staged'), end],
    /tells of 0 attempts, and there were 1/u,
  ],
])('tells of a history that %s', (_what, events, expected) => {
  expect(told(withRun(readyRun, { events }))).toMatch(expected);
});

it.each([
  ['time that was charged twice', { timeUsed: 6 }, /is charged 6 s, and the attempts took 5 s/u],
  ['time that was not charged', { timeUsed: 4.9 }, /is charged 4.9 s/u],
  ['bytes that are not there', { diskUsed: 481 }, /holds 481 bytes, the bundles 480/u],
])('tells of %s', (_what, broken, expected) => {
  const sound = soundEvidence();
  const owners = sound.owners.map((owner) => ({ ...owner, ...broken }));

  expect(told({ ...sound, owners })).toMatch(expected);
});

it.each([
  ['assignments', 'The server still counts x'],
  ['messages', 'A message is left: x'],
  ['leases', 'A lease is left: x'],
  ['sharedRuns', 'A shared run is left: x'],
  ['files', 'A temporary file is left on the server: x'],
])('tells of %s that the server has left', (what, expected) => {
  const sound = soundEvidence();

  expect(violations({ ...sound, server: { ...sound.server, [what]: ['x'] } })).toEqual([expected]);
});

it('tells of an unfinished file in the store', () => {
  const sound = soundEvidence();

  expect(violations({ ...sound, store: { ...sound.store, unfinished: ['temp/x'] } })).toEqual([
    'An unfinished file is left in the store: temp/x',
  ]);
});

const cache = { entries: [], listed: [], unreferenced: [], unfinished: [] };
it.each<[string, Partial<WorkerEvidence>, string]>([
  ['ended badly', { exitCode: 1 }, 'Worker one ended with 1'],
  ['did not end', { exitCode: undefined }, 'Worker one did not end when it was told to'],
  ['left the directory of a run', { files: ['runs/0x1/'] }, 'runs/0x1/ is left on worker one'],
  ['left a temporary file', { files: ['images.json.tmp'] }, 'images.json.tmp is left on worker one'],
  [
    'holds an entry of its cache',
    { cache: { ...cache, entries: ['a.tree'], listed: ['a.tree'] } },
    'The cache of worker one: the entry a.tree is held by nobody knows whom',
  ],
  [
    'left an entry that is not listed',
    { cache: { ...cache, entries: ['a.tree'] } },
    'The cache of worker one: the entry a.tree is not listed',
  ],
  [
    'left a blob',
    { cache: { ...cache, unreferenced: ['ab'] } },
    'The cache of worker one: nothing needs the blob ab',
  ],
  [
    'left a download',
    { cache: { ...cache, unfinished: ['partial/ab'] } },
    'The cache of worker one: partial/ab is unfinished',
  ],
])('tells of a worker that %s', (_what, broken, expected) => {
  const sound = soundEvidence();
  const workers = sound.workers.map((worker) => ({ ...worker, ...broken }));

  expect(violations({ ...sound, workers })).toEqual([expected]);
});

it('lets a worker keep what is refused of a run that was killed while it was away, and nothing else', () => {
  const sound = soundEvidence();
  const keeping = (number: number): Evidence => ({
    ...sound,
    workers: sound.workers.map((worker) => ({
      ...worker,
      files: [`unsent/${sound.runs[number]?.planned.uuid}/out`],
    })),
  });

  expect(violations(keeping(killedRun))).toEqual([]);
  expect(told(keeping(readyRun))).toMatch(/unsent.* is left on worker one/u);
});

it.each([
  ['processes', 'A process is left: x'],
  ['mounts', 'A mount is left: x'],
  ['groups', 'A control group is left: x'],
  ['engines', 'Left at a container engine: x'],
])('tells of %s that are left on the machine', (what, expected) => {
  const sound = soundEvidence();

  expect(violations({ ...sound, machine: { ...sound.machine, [what]: ['x'] } })).toEqual([expected]);
});
