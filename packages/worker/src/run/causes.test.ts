import { ConnectionError } from '@sheaf/client';
import { judgeFailure } from '@sheaf/domain';
import { ImageError, RuntimeError } from '@sheaf/runtimes';
import { StorageFullError } from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import { expect, it } from 'vitest';
import { DependencyProblem } from '../cache/dependency.ts';
import { causeOf, causeOfDependency, causeOfStart } from './causes.ts';
import { RunFailure } from './interruption.ts';
import { endedFromOutside, hasFilledDisk } from './outcome.ts';

const system = (code: string) => Object.assign(new Error(`${code}: something`), { code });

it.each([
  ['a full disk', system('ENOSPC'), 'disk-full', 'retry'],
  ['a full disk behind another error', new Error('x', { cause: system('EDQUOT') }), 'disk-full', 'retry'],
  [
    'a full disk of the engine',
    new ImageError('write: no space left on device', { transient: true }),
    'disk-full',
    'retry',
  ],
  ['a registry that is away', new ImageError('x', { transient: true }), 'image-unreachable', 'retry'],
  ['an image that does not exist', new ImageError('x', { transient: false }), 'image-refused', 'final'],
  ['an engine that fails', new RuntimeError('x', { userError: false }), 'engine-failed', 'retry'],
  ['a request the engine refuses', new RuntimeError('x', { userError: true }), 'start-refused', 'final'],
  ['a run directory that is gone', system('ENOENT'), 'directory-lost', 'retry'],
  ['a disk that cannot be read', system('EIO'), 'directory-lost', 'retry'],
  ['what was judged before', new RunFailure('x', 'worker-unfit'), 'worker-unfit', 'retry'],
  ['anything else', new Error('x'), 'unexpected', 'retry'],
] as const)('%s', (_, error, cause, decision) => {
  expect(causeOf(error, 'unexpected')).toBe(cause);
  const fresh = { spoilt: 0, restarts: 0, killRequested: false };
  expect(judgeFailure(cause, fresh, { retries: 3, restarts: 10 })).toBe(decision);
});

it.each([
  ['is not there', new SheafError('not-found', 'x'), 'dependency-refused'],
  ['may not be read', new SheafError('permission-denied', 'x'), 'dependency-refused'],
  ['is a link', new DependencyProblem('x'), 'dependency-refused'],
  ['does not fit', new DependencyProblem('x', { cause: system('ENOSPC') }), 'disk-full'],
  ['does not fit into the store', new StorageFullError('x'), 'disk-full'],
  ['cannot be reached', new ConnectionError('x'), 'dependency-unreachable'],
  ['is in trouble at the server', new SheafError('internal', 'x'), 'dependency-unreachable'],
] as const)('a dependency that %s', (_, error, cause) => {
  expect(causeOfDependency(error)).toBe(cause);
});

it.each([
  [
    'a supervisor without a word',
    new RuntimeError('its supervisor ended at once', { userError: false }),
    'engine-failed',
    'disk-full',
  ],
  ['nobody knows what', new Error('x'), 'unexpected', 'disk-full'],
  ['an image that is refused', new ImageError('x', { transient: false }), 'image-refused', 'image-refused'],
] as const)('a start that fails because of %s, with room and without', (_, error, usual, full) => {
  expect([causeOfStart(error, false), causeOfStart(error, true)]).toEqual([usual, full]);
});

it('tells ends from outside from those of the command', () => {
  expect(endedFromOutside({ exitCode: 137, interrupted: true })).toBe(true);
  expect(endedFromOutside({ exitCode: null })).toBe(true);
  expect(endedFromOutside({ exitCode: 137 })).toBe(false);
  expect(endedFromOutside(null)).toBe(false);
});

it('blames a run for a full disk only where it took much without asking', () => {
  expect(hasFilledDisk({ disk: 0 }, { used: 100, total: 1000 })).toBe(true);
  expect(hasFilledDisk({ disk: 0 }, { used: 99, total: 1000 })).toBe(false);
  expect(hasFilledDisk({ disk: 500 }, { used: 400, total: 1000 })).toBe(false);
});
