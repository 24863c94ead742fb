import { describe, expect, it } from 'vitest';
import { finalStateOf } from './final-state.ts';
import { initialState, legalMoves, mayMove, statesBefore } from './lifecycle.ts';
import {
  bundleStates,
  bundleTypes,
  finalStates,
  isActive,
  isFinal,
  type BundleState,
  type BundleType,
} from './states.ts';

function reachableFrom(type: BundleType, start: BundleState | null): Set<BundleState> {
  const reached = new Set<BundleState>();
  const waiting: (BundleState | null)[] = [start];
  while (waiting.length > 0) {
    const from = waiting.pop();
    for (const { from: origin, to } of legalMoves(type)) {
      if (origin !== from || reached.has(to)) continue;
      reached.add(to);
      waiting.push(to);
    }
  }
  return reached;
}

describe.each(bundleTypes)('the life of a %s', (type) => {
  it('can reach every state it mentions', () => {
    const mentioned = new Set(
      legalMoves(type).flatMap(({ from, to }) => (from === null ? [to] : [from, to])),
    );
    expect(reachableFrom(type, null)).toEqual(mentioned);
  });

  it('has no way out of a final state, and an end from everywhere else', () => {
    for (const state of reachableFrom(type, null)) {
      const onwards = reachableFrom(type, state);
      if (isFinal(state)) expect(onwards.size).toBe(0);
      else expect(finalStates.some((final) => onwards.has(final))).toBe(true);
    }
  });

  it('can be ended by its owner from every state that is not held by a worker', () => {
    for (const state of reachableFrom(type, null)) {
      if (isFinal(state) || ['preparing', 'running', 'finalizing'].includes(state)) continue;
      expect(mayMove(type, state, 'killed', 'killed')).toBe(true);
    }
  });

  it('lists no move twice', () => {
    const moves = legalMoves(type).map(({ from, to, cause }) => `${from} ${to} ${cause}`);
    expect(new Set(moves).size).toBe(moves.length);
  });
});

describe('moves', () => {
  it('uses every state for runs except making', () => {
    expect(reachableFrom('run', null)).toEqual(new Set(bundleStates.filter((state) => state !== 'making')));
  });

  it('answers for single moves and causes', () => {
    expect(mayMove('run', 'starting', 'preparing', 'start granted')).toBe(true);
    expect(mayMove('run', 'running', 'preparing')).toBe(false);
    expect(mayMove('dataset', 'uploading', 'staged')).toBe(false);
    expect(mayMove('run', 'ready', 'worker_offline')).toBe(false);
    expect(mayMove('make', 'making', 'staged', 'make interrupted')).toBe(true);
  });

  it('knows what an update has to be conditional on', () => {
    expect(statesBefore('run', 'worker_offline', 'worker lost')).toEqual([
      'preparing',
      'running',
      'finalizing',
    ]);
    expect(statesBefore('run', 'starting', 'assigned')).toEqual(['staged']);
  });

  it('knows which states forbid deletion', () => {
    expect(bundleStates.filter(isActive)).toEqual([
      'making',
      'starting',
      'preparing',
      'running',
      'finalizing',
    ]);
  });
});

describe('initial states', () => {
  it('follow the type, a link and a promise of contents', () => {
    expect(initialState('dataset', {})).toBe('uploading');
    expect(initialState('dataset', { linkUrl: '/data' })).toBe('ready');
    expect(initialState('dataset', { linkUrl: '' })).toBe('uploading');
    expect(initialState('run', {})).toBe('created');
    expect(initialState('run', { waitForUpload: true })).toBe('uploading');
  });
});

describe('final states', () => {
  it.each([
    [{}, 'ready'],
    [{ exitcode: 0 }, 'ready'],
    [{ exitcode: 3 }, 'failed'],
    [{ failureMessage: 'Time limit exceeded.' }, 'failed'],
    [{ failureMessage: 'Kill requested', exitcode: 0 }, 'killed'],
    [{ failureMessage: 'x. Kill requested: y' }, 'killed'],
    [{ failureMessage: '', exitcode: null }, 'ready'],
  ])('%j ends %s', (result, state) => {
    expect(finalStateOf(result)).toBe(state);
  });
});
