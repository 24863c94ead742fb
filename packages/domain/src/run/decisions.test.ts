import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mayMove } from '../bundle/lifecycle.ts';
import { bundleStates, finalStates, isFinal } from '../bundle/states.ts';
import { judgeLoss } from './lost-run.ts';
import { judgeReport, type ReportSituation } from './report-decision.ts';
import { judgeStart } from './start-decision.ts';

const mine = { worker: 'w', epoch: 3 };
const others = { worker: 'x', epoch: 4 };

function judge(changes: {
  state?: (typeof bundleStates)[number];
  deleted?: boolean;
  killRequested?: boolean;
  assignment?: ReportSituation['assignment'];
  lastHolder?: ReportSituation['lastHolder'];
  report: ReportSituation['report']['state'];
  epoch?: number | null;
}): ReturnType<typeof judgeReport> {
  return judgeReport({
    bundle:
      changes.deleted === true
        ? null
        : { state: changes.state ?? 'running', killRequested: changes.killRequested ?? false },
    assignment: changes.assignment === undefined ? mine : changes.assignment,
    lastHolder: changes.lastHolder ?? null,
    report: { worker: 'w', state: changes.report, epoch: changes.epoch === undefined ? 3 : changes.epoch },
  });
}

describe('reports', () => {
  it('of the holder are applied', () => {
    expect(judge({ state: 'preparing', report: 'running' })).toEqual({
      action: 'apply',
      cause: 'reported',
      from: 'preparing',
      state: 'running',
      answer: 'nothing',
    });
    expect(judge({ state: 'running', report: 'finalizing', epoch: null })).toMatchObject({
      state: 'finalizing',
    });
  });

  it('of a run whose start was granted without the worker hearing of it count as its start', () => {
    expect(judge({ state: 'starting', report: 'running' })).toMatchObject({
      action: 'apply',
      from: 'starting',
      state: 'running',
    });
  });

  it('never move a run backwards while it is held', () => {
    expect(judge({ state: 'running', report: 'preparing' })).toMatchObject({
      action: 'apply',
      state: 'running',
    });
    expect(judge({ state: 'finalizing', report: 'running' })).toMatchObject({
      action: 'apply',
      state: 'finalizing',
    });
  });

  it('re-attach a run its worker had last', () => {
    for (const state of ['worker_offline', 'staged'] as const) {
      expect(judge({ state, assignment: null, lastHolder: mine, report: 'preparing' })).toMatchObject({
        action: 'apply',
        cause: 're-attached',
        state: 'preparing',
      });
    }
    expect(judge({ state: 'staged', assignment: null, lastHolder: others, report: 'running' })).toEqual({
      action: 'ignore',
      answer: 'kill',
    });
    expect(
      judge({
        state: 'worker_offline',
        assignment: null,
        lastHolder: { worker: 'w', epoch: 4 },
        report: 'running',
      }),
    ).toEqual({
      action: 'ignore',
      answer: 'kill',
    });
  });

  it('about somebody else’s run, or from an older attempt, are ignored and the run is dropped there', () => {
    expect(judge({ assignment: others, report: 'running' })).toEqual({ action: 'ignore', answer: 'kill' });
    expect(judge({ assignment: others, report: 'finalizing' })).toEqual({
      action: 'ignore',
      answer: 'mark_finalized',
    });
    expect(judge({ assignment: mine, epoch: 2, report: 'running' })).toEqual({
      action: 'ignore',
      answer: 'kill',
    });
    expect(judge({ assignment: others, report: 'staged' })).toEqual({ action: 'ignore', answer: 'nothing' });
  });

  it('about a deleted bundle are answered with its end', () => {
    expect(judge({ deleted: true, report: 'running' })).toEqual({ action: 'ignore', answer: 'kill' });
    expect(judge({ deleted: true, report: 'finalizing' })).toEqual({
      action: 'ignore',
      answer: 'mark_finalized',
    });
  });

  it('carry a wish for the run’s end back', () => {
    expect(judge({ killRequested: true, report: 'running' })).toMatchObject({
      action: 'apply',
      answer: 'kill',
    });
    expect(judge({ killRequested: true, report: 'finalizing' })).toMatchObject({
      action: 'apply',
      answer: 'nothing',
    });
  });

  it('can give a run back, once', () => {
    expect(judge({ state: 'running', report: 'staged' })).toEqual({ action: 'restage', from: 'running' });
    expect(judge({ state: 'staged', assignment: null, lastHolder: mine, report: 'staged' })).toEqual({
      action: 'ignore',
      answer: 'nothing',
    });
    expect(judge({ state: 'worker_offline', assignment: null, lastHolder: mine, report: 'staged' })).toEqual({
      action: 'restage',
      from: 'worker_offline',
    });
  });

  it('that a run is done and forgotten change nothing', () => {
    expect(judge({ report: 'ready' })).toEqual({ action: 'ignore', answer: 'nothing' });
  });

  const holder = fc.option(fc.record({ worker: fc.constantFrom('w', 'x'), epoch: fc.nat(3) }), { nil: null });
  const situation = fc.record({
    bundle: fc.option(fc.record({ state: fc.constantFrom(...bundleStates), killRequested: fc.boolean() }), {
      nil: null,
    }),
    assignment: holder,
    lastHolder: holder,
    report: fc.record({
      worker: fc.constantFrom('w', 'x'),
      state: fc.constantFrom(
        'preparing' as const,
        'running' as const,
        'finalizing' as const,
        'ready' as const,
        'staged' as const,
      ),
      epoch: fc.option(fc.nat(3), { nil: null }),
    }),
  });

  it('never change a final bundle, and only make legal moves', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const decision = judgeReport(given);
        if (decision.action === 'ignore') return;
        expect(given.bundle).not.toBeNull();
        expect(isFinal(decision.from)).toBe(false);
        expect(decision.from).toBe(given.bundle?.state);
        if (decision.action === 'restage') expect(mayMove('run', decision.from, 'staged')).toBe(true);
        else if (decision.state !== decision.from) {
          expect(mayMove('run', decision.from, decision.state, decision.cause)).toBe(true);
        }
        const holders = [given.assignment, given.assignment === null ? given.lastHolder : null];
        expect(holders.some((one) => one?.worker === given.report.worker)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('of final bundles always end the run at the worker', () => {
    for (const state of finalStates) {
      expect(judge({ state, report: 'running' })).toEqual({ action: 'ignore', answer: 'kill' });
      expect(judge({ state, report: 'finalizing' })).toEqual({ action: 'ignore', answer: 'mark_finalized' });
    }
  });
});

describe('starts', () => {
  const ask = (changes: Partial<Parameters<typeof judgeStart>[0]>): string =>
    judgeStart({
      bundle: { state: 'starting', killRequested: false },
      assignment: mine,
      worker: 'w',
      epoch: 3,
      ...changes,
    });

  it('are granted once to the attempt that was assigned', () => {
    expect(ask({})).toBe('grant');
    expect(ask({ epoch: null })).toBe('grant');
    expect(ask({ bundle: { state: 'preparing', killRequested: false } })).toBe('repeat');
    expect(ask({ bundle: { state: 'running', killRequested: false } })).toBe('refuse');
    expect(ask({ worker: 'x' })).toBe('refuse');
    expect(ask({ epoch: 2 })).toBe('refuse');
    expect(ask({ assignment: null })).toBe('refuse');
    expect(ask({ bundle: null })).toBe('refuse');
    expect(ask({ bundle: { state: 'starting', killRequested: true } })).toBe('refuse and kill');
  });
});

describe('lost runs', () => {
  it('go elsewhere when nothing is lost, else wait for their worker', () => {
    const judgeState = (
      state: (typeof bundleStates)[number],
      preemptible = false,
      forgotten = false,
    ): string => judgeLoss({ state, preemptible, forgotten });
    expect(judgeState('starting')).toBe('restage');
    expect(judgeState('preparing')).toBe('offline');
    expect(judgeState('preparing', false, true)).toBe('restage');
    expect(judgeState('running')).toBe('offline');
    expect(judgeState('running', true)).toBe('restage');
    expect(judgeState('finalizing')).toBe('finalize');
    expect(judgeState('staged')).toBe('nothing');
    expect(judgeState('ready')).toBe('nothing');
  });
});
