import { describe, expect, it } from 'vitest';
import { failure, success } from '../outcome.ts';
import { plan } from './testing/plan.ts';
import {
  dependencyCacheKey,
  hintsPerWorker,
  type Plan,
  type PlanInput,
  type PlanWorker,
  type StagedRun,
} from './plan-types.ts';
import type { ResourceRequest } from './request.ts';

const gibibyte = 1024 ** 3;

function run(
  uuid: string,
  request: Partial<ResourceRequest> = {},
  changes: Partial<StagedRun> = {},
): StagedRun {
  return {
    uuid,
    ownerId: 'alice',
    request: success({
      cpus: 1,
      gpus: 0,
      memory: gibibyte,
      disk: 0,
      time: 0,
      image: 'i:latest',
      imageRequested: false,
      network: true,
      sharedMemory: undefined,
      queue: '',
      priority: 0,
      ...request,
    }),
    dependencies: [],
    avoid: new Set(),
    controllers: new Set(),
    ...changes,
  };
}

function worker(key: string, changes: Partial<PlanWorker> = {}): PlanWorker {
  return {
    key,
    ownerId: 'root',
    members: new Set(),
    tag: null,
    tagExclusive: false,
    cpus: 4,
    gpus: 0,
    memory: 16 * gibibyte,
    freeDisk: 100 * gibibyte,
    cpusInUse: 0,
    gpusInUse: 0,
    memoryInUse: 0,
    assignedRuns: 0,
    slots: null,
    runsLeft: 999999999,
    terminating: false,
    images: true,
    sharedFileSystem: false,
    cachedDependencies: new Set(),
    cachesContents: false,
    takesHints: false,
    ...changes,
  };
}

function planned(runs: StagedRun[], workers: PlanWorker[], changes: Partial<PlanInput> = {}): Plan {
  return plan({
    runs,
    workers,
    parallelRunsLeft: new Map(),
    runsElsewhere: new Map(),
    turnsTaken: new Map(),
    rootUserId: 'root',
    tieBreak: () => 0,
    ...changes,
  });
}

function chosen(
  given: StagedRun,
  workers: PlanWorker[],
  changes: Partial<PlanInput> = {},
): string | undefined {
  return planned([given], workers, changes).assignments[0]?.worker;
}

function reason(given: StagedRun, workers: PlanWorker[], changes: Partial<PlanInput> = {}): string {
  const result = planned([given], workers, changes);
  expect(result.assignments).toEqual([]);
  return result.reasons.get(given.uuid) ?? 'none';
}

const prefix = "No worker can meet your bundle's resource requirements.";

describe('which workers a run may go to', () => {
  it('its owner’s, those shared with the owner, and root’s', () => {
    const may = (changes: Partial<PlanWorker>, given: Partial<StagedRun> = {}): boolean =>
      chosen(run('r', {}, given), [worker('w', changes)]) === 'w';
    expect(may({})).toBe(true);
    expect(may({ ownerId: 'alice' })).toBe(true);
    expect(may({ ownerId: 'bob' })).toBe(false);
    expect(may({ ownerId: 'bob', members: new Set(['alice']) })).toBe(false);
    expect(may({ ownerId: 'bob', members: new Set(['alice']) }, { controllers: new Set(['bob']) })).toBe(
      true,
    );
    expect(may({ ownerId: 'bob', members: new Set(['root']) }, { controllers: new Set(['bob']) })).toBe(true);
    expect(may({ ownerId: 'bob' }, { ownerId: 'root', controllers: new Set(['bob']) })).toBe(false);
  });

  it('by tag', () => {
    const may = (queue: string, changes: Partial<PlanWorker>): boolean =>
      chosen(run('r', { queue }), [worker('w', changes)]) === 'w';
    expect(may('worker_X', { tag: 'worker_X' })).toBe(true);
    expect(may('tag=worker_X', { tag: 'worker_X' })).toBe(true);
    expect(may('tag=', { tag: 'worker_X' })).toBe(false);
    expect(may('worker_X', {})).toBe(false);
    expect(may('', { tag: 'worker_X' })).toBe(true);
    expect(may('', { tag: 'worker_X', tagExclusive: true })).toBe(false);
    expect(may('', { tagExclusive: true })).toBe(true);
    expect(may('worker_X', { tag: 'worker_X', tagExclusive: true })).toBe(true);
  });

  it('by what is free', () => {
    const may = (request: Partial<ResourceRequest>, changes: Partial<PlanWorker>): boolean =>
      chosen(run('r', request), [worker('w', changes)]) === 'w';
    expect(may({ cpus: 4 }, {})).toBe(true);
    expect(may({ cpus: 4 }, { cpusInUse: 1 })).toBe(false);
    expect(may({ gpus: 1 }, { gpus: 1, gpusInUse: 1 })).toBe(false);
    expect(may({ memory: 16 * gibibyte }, { memoryInUse: 1 })).toBe(false);
    expect(may({ disk: 1 }, { freeDisk: null })).toBe(false);
    expect(may({ disk: 0 }, { freeDisk: null })).toBe(true);
    expect(may({}, { runsLeft: 0 })).toBe(false);
    expect(may({}, { terminating: true })).toBe(false);
    expect(may({}, { slots: 2, assignedRuns: 2 })).toBe(false);
    expect(may({}, { slots: 2, assignedRuns: 1 })).toBe(true);
    expect(may({}, { cpus: Number.NaN })).toBe(false);
    expect(may({ imageRequested: true }, { images: false })).toBe(false);
    expect(may({ imageRequested: false }, { images: false })).toBe(true);
  });
});

describe('which worker suits best', () => {
  it('own and shared ones before common ones', () => {
    const own = worker('own', { ownerId: 'alice', cpus: 64, gpus: 8 });
    expect(chosen(run('r'), [worker('common'), own])).toBe('own');
  });

  it('tag-exclusive ones for tagged runs', () => {
    const tagged = run('r', { queue: 'x' });
    expect(
      chosen(tagged, [
        worker('open', { tag: 'x', cpus: 1 }),
        worker('exclusive', { tag: 'x', tagExclusive: true }),
      ]),
    ).toBe('exclusive');
  });

  it('machines without GPUs, then with few free ones', () => {
    const workers = [worker('8', { gpus: 8 }), worker('busy', { gpus: 2, gpusInUse: 2 }), worker('none')];
    expect(chosen(run('r'), workers)).toBe('none');
    expect(chosen(run('r'), workers.slice(0, 2))).toBe('busy');
    expect(chosen(run('r', { gpus: 1 }), [worker('8', { gpus: 8 }), worker('2', { gpus: 2 })])).toBe('2');
  });

  it('those that have the dependencies, counted in bytes', () => {
    const big = { key: dependencyCacheKey('0x1', ''), bytes: 1e9 };
    const small = [2, 3].map((digit) => ({ key: dependencyCacheKey(`0x${digit}`, 'a'), bytes: 10 }));
    const given = run('r', {}, { dependencies: [big, ...small] });
    const hasBig = worker('big', { cachedDependencies: new Set([big.key]) });
    const hasSmall = worker('small', { cachedDependencies: new Set(small.map(({ key }) => key)), cpus: 1 });
    expect(chosen(given, [hasSmall, hasBig])).toBe('big');
    expect(chosen(given, [hasBig, worker('all', { sharedFileSystem: true })])).toBe('all');
  });

  it('those that have what a dependency is inside of, where they cache contents', () => {
    const given = run(
      'r',
      {},
      { dependencies: [{ key: dependencyCacheKey('0x1', 'data/train/x'), bytes: 9 }] },
    );
    const holding = (path: string, cachesContents = true): PlanWorker =>
      worker('holds', {
        cachedDependencies: new Set([dependencyCacheKey('0x1', path)]),
        cachesContents,
        cpus: 8,
      });
    const best = (target: PlanWorker): string | undefined => chosen(given, [worker('small'), target]);
    expect(best(holding(''))).toBe('holds');
    expect(best(holding('data'))).toBe('holds');
    expect(best(holding('data/train'))).toBe('holds');
    expect(best(holding('data/train/x', false))).toBe('holds');
    expect(best(holding('data', false))).toBe('small');
    expect(best(holding('data/tra'))).toBe('small');
    expect(best(holding('data/train/x/y'))).toBe('small');
  });

  it('the fullest, then the least busy, then by the tie-breaker', () => {
    expect(chosen(run('r'), [worker('4'), worker('2', { cpusInUse: 2 })])).toBe('2');
    expect(chosen(run('r'), [worker('busy', { assignedRuns: 2 }), worker('idle')])).toBe('idle');
    const tieBreak = ({ key }: PlanWorker): number => (key === 'b' ? 0 : 1);
    expect(chosen(run('r'), [worker('a'), worker('b')], { tieBreak })).toBe('b');
  });
});

describe('a pass', () => {
  it('gives nothing away twice, also of a worker shared by several users', () => {
    const shared = worker('w', { ownerId: 'bob', members: new Set(['alice', 'carol']), cpus: 1 });
    const runs = [
      run('1', {}, { controllers: new Set(['bob']) }),
      run('2', {}, { ownerId: 'carol', controllers: new Set(['bob']) }),
    ];
    const result = planned(runs, [shared]);
    expect(result.assignments).toEqual([{ run: '1', worker: 'w' }]);
    expect(result.reasons.get('2')).toContain('0 CPUs (1 requested)');
  });

  it('serves higher priorities first', () => {
    const result = planned(
      [run('low', { priority: 0 }), run('high', { priority: 9 })],
      [worker('w', { cpus: 1 })],
    );
    expect(result.assignments).toEqual([{ run: 'high', worker: 'w' }]);
  });

  it('lets nobody’s thousand runs keep another’s few waiting', () => {
    const many = Array.from({ length: 1000 }, (_, number) => run(`many${number}`));
    const few = ['few1', 'few2'].map((uuid) => run(uuid, {}, { ownerId: 'bob' }));
    const runs = [...many, ...few];
    const given = planned(runs, [worker('w')]).assignments.map((assignment) => assignment.run);
    expect(given).toEqual(['many0', 'few1', 'many1', 'few2']);
    const busy = planned(runs, [worker('w')], { runsElsewhere: new Map([['alice', 2]]) });
    expect(busy.assignments.map((assignment) => assignment.run)).toEqual(['few1', 'few2', 'many0', 'many1']);
  });

  it('takes turns also where only one run fits at a time', () => {
    let runs = [
      ...Array.from({ length: 100 }, (_, number) => run(`a${number}`)),
      run('b0', {}, { ownerId: 'bob' }),
      run('b1', {}, { ownerId: 'bob' }),
    ];
    let turnsTaken: ReadonlyMap<string, number> = new Map();
    const order: string[] = [];
    for (let round = 0; round < 7; round += 1) {
      const result = planned(runs, [worker('w', { cpus: 1 })], { turnsTaken });
      ({ turnsTaken } = result);
      order.push(...result.assignments.map((assignment) => assignment.run));
      runs = runs.filter(({ uuid }) => !order.includes(uuid));
      // Somebody new has no arrears to be made up for.
      if (round === 3) runs.push(...['c0', 'c1'].map((uuid) => run(uuid, {}, { ownerId: 'carol' })));
    }
    expect(order).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'c0', 'a3']);
  });

  it('takes no turn away for runs that fit nowhere', () => {
    const runs = [
      ...Array.from({ length: 50 }, (_, number) => run(`big${number}`, { cpus: 99 })),
      run('alices'),
      run('bobs', {}, { ownerId: 'bob' }),
      run('bobs second', {}, { ownerId: 'bob' }),
    ];
    expect(planned(runs, [worker('w', { cpus: 2 })]).assignments.map((assignment) => assignment.run)).toEqual(
      ['alices', 'bobs'],
    );
  });

  it('counts no runs on own workers against their owner', () => {
    const own = worker('own', { ownerId: 'alice', cpus: 3 });
    const runs = [1, 2, 3, 4].map((number) => run(`a${number}`));
    const result = planned([...runs, run('b', {}, { ownerId: 'bob' })], [own, worker('w', { cpus: 1 })]);
    expect(result.assignments.at(-1)).toEqual({ run: 'a4', worker: 'w' });
  });

  it('counts parallel runs on the workers of others', () => {
    const own = worker('own', { ownerId: 'alice', cpus: 1 });
    const shared = worker('shared', { ownerId: 'bob', members: new Set(['alice']), cpus: 1 });
    const controllers = new Set(['bob']);
    const runs = [1, 2, 3, 4].map((number) => run(String(number), {}, { controllers }));
    const result = planned(runs, [worker('common'), own, shared], {
      parallelRunsLeft: new Map([['alice', 2]]),
    });
    expect(result.assignments.map((assignment) => assignment.worker)).toEqual(['own', 'shared', 'common']);
    expect(result.reasons.get('4')).toContain(
      'You have 2 runs on shared workers, as many as your quota allows',
    );
  });

  it('tells runs apart that look alike but may go to different workers', () => {
    const shared = worker('w', { ownerId: 'bob', members: new Set(['alice', 'carol']) });
    const bobs = { controllers: new Set(['bob']) };
    const runs = [
      run('closed'),
      run('open', {}, bobs),
      run('stranger', {}, { ...bobs, ownerId: 'dave' }),
      run('carols', {}, { ...bobs, ownerId: 'carol' }),
    ];
    expect(planned(runs, [shared]).assignments.map((assignment) => assignment.run)).toEqual([
      'open',
      'carols',
    ]);
    const others = run('others', {}, { controllers: new Set(['mary']) });
    expect(planned([others, run('open', {}, bobs)], [shared]).assignments).toEqual([
      { run: 'open', worker: 'w' },
    ]);
    const sandbox = worker('w', { images: false });
    expect(planned([run('named', { imageRequested: true }), run('plain')], [sandbox]).assignments).toEqual([
      { run: 'plain', worker: 'w' },
    ]);
    const spent = { parallelRunsLeft: new Map([['alice', 0]]) };
    const result = planned([run('spent'), run('fresh', {}, { ownerId: 'dave' })], [worker('w')], spent);
    expect(result.assignments).toEqual([{ run: 'fresh', worker: 'w' }]);
    const avoiding = [run('avoids', {}, { avoid: new Set(['w']) }), run('does not')];
    expect(planned(avoiding, [worker('w')]).assignments).toEqual([{ run: 'does not', worker: 'w' }]);
  });

  it('books memory, GPUs, slots and runs left', () => {
    const runs = [run('1', { memory: gibibyte, gpus: 1 }), run('2', { memory: gibibyte, gpus: 1 })];
    const count = (changes: Partial<PlanWorker>): number =>
      planned(runs, [worker('w', { gpus: 2, ...changes })]).assignments.length;
    expect(count({})).toBe(2);
    expect(count({ memory: 1.5 * gibibyte })).toBe(1);
    expect(count({ gpus: 1 })).toBe(1);
    expect(count({ slots: 1 })).toBe(1);
    expect(count({ runsLeft: 1 })).toBe(1);
    expect(count({ cpus: 1 })).toBe(1);
  });

  it('lets no unreadable run stop the others', () => {
    const result = planned(
      [run('bad', {}, { request: failure('Invalid size: x') }), run('good')],
      [worker('w')],
    );
    expect(result.unreadable).toEqual(new Map([['bad', 'Invalid size: x']]));
    expect(result.assignments).toEqual([{ run: 'good', worker: 'w' }]);
  });

  it('sends a run to other workers than those it keeps failing on', () => {
    const given = run('r', {}, { avoid: new Set(['w']) });
    expect(chosen(given, [worker('w'), worker('x', { gpus: 8 })])).toBe('x');
    expect(reason(given, [worker('w')])).toContain('has failed to execute it');
  });
});

describe('reasons', () => {
  it('list the shortfalls in the form clients match', () => {
    const given = run('r', { queue: 'test-queue', cpus: 20, gpus: 3, memory: 800000, disk: 5000 });
    expect(reason(given, [worker('w', { cpus: 10, gpus: 2, memory: 4000, freeDisk: 4000 })])).toContain(
      `${prefix} Available resources: [No queue (test-queue requested), 10 CPUs (20 requested), 2 GPUs (3 requested), 3.9k memory (781k requested), 3.9k disk (4.9k requested)]`,
    );
  });

  it('leave out workers that another beats in everything', () => {
    const small = worker('small', { cpus: 1, gpus: 1, memory: gibibyte, freeDisk: gibibyte });
    const large = worker('large', { cpus: 2, gpus: 2, memory: 2 * gibibyte, freeDisk: 2 * gibibyte });
    const many = worker('many', { cpus: 3, gpus: 0 });
    expect(reason(run('r', { cpus: 8 }), [small, large, many])).toContain(
      'Available resources: [2 CPUs (8 requested)], [3 CPUs (8 requested)]',
    );
  });

  it('do not let a worker that may not be used hide another', () => {
    const reserved = worker('reserved', {
      tag: 'x',
      tagExclusive: true,
      cpus: 64,
      gpus: 1,
      memory: 99 * gibibyte,
      freeDisk: 999 * gibibyte,
    });
    expect(reason(run('r', { cpus: 8 }), [worker('w'), reserved])).toContain('[4 CPUs (8 requested)], []');
  });

  it('show an empty bracket for reserved workers and those that start nothing more', () => {
    expect(reason(run('r'), [worker('w', { tag: 'x', tagExclusive: true })])).toContain(
      'Available resources: []',
    );
    expect(reason(run('r'), [worker('w', { runsLeft: 0 })])).toContain('Available resources: []');
  });

  it('say whether waiting helps', () => {
    expect(reason(run('r'), [worker('w', { cpusInUse: 4 })])).toContain(
      'starts when runs that are under way there have ended',
    );
    expect(
      reason(run('r', { cpus: 8, memory: 32 * gibibyte }), [worker('w'), worker('x', { cpus: 6 })]),
    ).toContain('No worker is large enough: the most that any has is 6 CPUs, 16g memory. Ask for less');
    expect(
      reason(run('r', { cpus: 5, gpus: 2 }), [worker('w', { cpus: 8 }), worker('x', { gpus: 2 })]),
    ).toContain('the most that any has is 8 CPUs, 2 GPUs, 16g memory. Ask');
    expect(reason(run('r', { disk: 1024 }), [worker('w', { freeDisk: null })])).toContain(
      '[0 disk (1k requested)]. No worker is large enough: the most that any has is 0 free disk.',
    );
    expect(reason(run('r'), [worker('w', { freeDisk: 0 })])).toContain(
      '[0 disk (1 requested)]. The disk of the worker is full',
    );
    expect(reason(run('r', { queue: 'x' }), [worker('w')])).toContain('No worker serves the queue');
    expect(
      reason(run('r', { queue: 'x' }), [
        worker('w'),
        worker('bobs', { tag: 'x', ownerId: 'bob', members: new Set(['alice']) }),
      ]),
    ).toContain('grant their owner the permission');
    expect(reason(run('r'), [worker('w', { slots: 1, assignedRuns: 1 })])).toContain(
      '[0 slots (1 requested)]',
    );
  });

  it('tell of workers that leave, and of those that take no more', () => {
    expect(reason(run('r'), [worker('w', { terminating: true })])).toContain('is shutting down');
    const leaving = worker('large', { terminating: true, cpus: 64 });
    const text = reason(run('r', { cpus: 8 }), [leaving, worker('w')]);
    expect(text).toContain('Available resources: [4 CPUs (8 requested)]. No worker is large enough');
    expect(reason(run('r'), [worker('w', { runsLeft: 0 })])).toContain('take no more: start another one');
    expect(reason(run('r'), [worker('w', { slots: 0 })])).toContain('[0 slots (1 requested)]. The workers');
  });

  it('tell who comes first', () => {
    const runs = [
      run('low'),
      run('high', { priority: 1, cpus: 3 }),
      run('bobs', { cpus: 2 }, { ownerId: 'bob' }),
      run('elsewhere', { queue: 'x' }),
    ];
    const { reasons } = planned(runs, [
      worker('w', { cpusInUse: 4 }),
      worker('x', { tag: 'x', tagExclusive: true, cpusInUse: 4 }),
    ]);
    const endOf = (uuid: string): string | undefined => /ended(.*)\.$/.exec(reasons.get(uuid) ?? '')?.[1];
    expect(endOf('high')).toBe('');
    expect(endOf('bobs')).toBe(', after waiting runs that come before it');
    expect(endOf('low')).toBe(', after runs of yours with a higher priority');
    expect(endOf('elsewhere')).toBe('');
  });

  it('say that the quota of parallel runs is what is waited for, also while nothing is free', () => {
    const spent = { parallelRunsLeft: new Map([['alice', 0]]), runsElsewhere: new Map([['alice', 1]]) };
    for (const cpusInUse of [0, 4]) {
      expect(reason(run('r'), [worker('w', { cpusInUse })], spent)).toContain(
        'You have 1 run on shared workers, as many as your quota allows at once',
      );
    }
    const own = worker('own', { ownerId: 'alice', cpusInUse: 4 });
    expect(reason(run('r'), [worker('w', { cpusInUse: 4 }), own], spent)).toContain('have ended');
    expect(reason(run('r'), [worker('w'), own], spent)).toContain('or on a worker of your own');
    expect(reason(run('r'), [worker('w')], { ...spent, runsElsewhere: new Map() })).toContain(
      'no runs on shared workers',
    );
  });

  it('say when nobody is there', () => {
    const text = reason(run('r'), []);
    expect(text.startsWith(prefix)).toBe(true);
    expect(text).toContain('No worker is connected');
    expect(reason(run('r'), [worker('w', { ownerId: 'bob' })])).toContain(
      'No worker is connected that may take your runs',
    );
  });

  it('say when only Docker is missing, and what to do', () => {
    const named = run('r', { imageRequested: true });
    const sandbox = worker('sandbox', { images: false });
    for (const workers of [
      [sandbox],
      [sandbox, worker('tiny', { cpus: 0 })],
      [worker('busy', { images: false, cpusInUse: 4 })],
    ]) {
      const text = reason(named, workers);
      expect(text).toContain('names a Docker image');
      expect(text).toContain('start a worker with Docker');
    }
    expect(reason(named, [sandbox, worker('busy', { cpusInUse: 4 })])).toContain('have ended');
  });

  it('say when a worker’s owner may not see the run', () => {
    expect(reason(run('r'), [worker('w', { ownerId: 'bob', members: new Set(['alice']) })])).toContain(
      'may not control this run',
    );
  });

  it('stay readable with many workers', () => {
    const text = reason(
      run('r', { cpus: 8 }),
      Array.from({ length: 200 }, (_, number) => worker(String(number))),
    );
    expect(text).toContain('and 190 more workers');
  });
});

describe('hints', () => {
  const hintsOf = (runs: StagedRun[], workers: PlanWorker[], changes: Partial<PlanInput> = {}): string[] =>
    planned(runs, workers, changes).hints.map((hint) => `${hint.run} ${hint.worker}`);
  const full = (key: string, changes: Partial<PlanWorker> = {}): PlanWorker =>
    worker(key, { cpusInUse: 4, takesHints: true, ...changes });

  it('name the worker that would be preferred, for a few runs each', () => {
    const holds = { cachedDependencies: new Set(['0x1/']) };
    const given = run('r', {}, { dependencies: [{ key: '0x1/', bytes: 9 }] });
    expect(hintsOf([given], [full('a'), full('b', holds)])).toEqual(['r b']);
    const runs = Array.from({ length: 20 }, (_, number) => run(`r${number}`));
    const hints = hintsOf(runs, [full('a'), full('b')]);
    expect(hints.length).toBe(2 * hintsPerWorker);
    expect(hints.filter((hint) => hint.endsWith('a')).length).toBe(hintsPerWorker);
    expect(hints[0]).toBe('r0 a');
  });

  it('take users in turn', () => {
    const runs = [
      ...Array.from({ length: 9 }, (_, number) => run(`a${number}`)),
      run('b', {}, { ownerId: 'bob' }),
    ];
    expect(hintsOf(runs, [full('w')])).toEqual(['a0 w', 'b w', 'a1 w', 'a2 w']);
  });

  it('are given to nobody who could not take the run', () => {
    const named = run('r', { imageRequested: true });
    expect(hintsOf([named], [full('w', { images: false })])).toEqual([]);
    expect(hintsOf([named], [full('w', { takesHints: false })])).toEqual([]);
    expect(hintsOf([named], [full('w', { terminating: true })])).toEqual([]);
    expect(hintsOf([named], [full('w', { runsLeft: 0 })])).toEqual([]);
    expect(hintsOf([named], [full('w', { cpus: 1, cpusInUse: 1 })])).toEqual(['r w']);
    expect(hintsOf([run('r', { cpus: 5 })], [full('w')])).toEqual([]);
    expect(hintsOf([named], [full('w', { ownerId: 'bob', members: new Set(['alice']) })])).toEqual([]);
    expect(hintsOf([run('r', {}, { avoid: new Set(['w']) })], [full('w')])).toEqual([]);
    expect(hintsOf([named], [full('w')], { parallelRunsLeft: new Map([['alice', 0]]) })).toEqual([]);
  });

  it('are not given for runs that start', () => {
    expect(hintsOf([run('r')], [worker('w', { takesHints: true })])).toEqual([]);
  });
});
