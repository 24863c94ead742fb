import { expect, it } from 'vitest';
import { mayTakeRuns } from './plan-workers.ts';

const worker = { user_id: '0', worker_id: 'w', checkin_at: 5, shared_file_system: 0 };
const heard = () => false;

it.each([
  ['of which nothing was heard', worker, { isSilent: () => true, laysOut: true }, false],
  ['that is there', worker, { isSilent: heard, laysOut: false }, true],
  [
    'that looks for inputs on the server’s filesystem, where they can be laid out',
    { ...worker, shared_file_system: 1 },
    { isSilent: heard, laysOut: true },
    true,
  ],
  [
    'that looks for inputs on the server’s filesystem, where they cannot',
    { ...worker, shared_file_system: 1 },
    { isSilent: heard, laysOut: false },
    false,
  ],
])('a worker %s', (_what, row, context, expected) => {
  expect(mayTakeRuns(row, context)).toBe(expected);
});

it('asks for the silence of the very worker, since it was heard of', () => {
  const asked: unknown[] = [];
  mayTakeRuns(worker, { isSilent: (...given) => asked.push(given) === 0, laysOut: true });
  expect(asked).toEqual([[{ userId: '0', workerId: 'w' }, 5]]);
});
