import type { BundleEvent } from '@sheaf/wire';
import { expect, it } from 'vitest';
import { localDate } from './bundle-table.ts';
import { eventCells, historyLines } from './events.ts';

const event = (text: string, more: Partial<BundleEvent> = {}): BundleEvent => ({
  at: '2031-01-01T00:00:00+00:00',
  kind: 'assigned',
  text,
  attempt: 1,
  worker_id: 'w1',
  host: 'node7',
  details: {},
  ...more,
});
const time = localDate(Date.UTC(2031, 0, 1) / 1000);

it('tells an event in a row of cells', () => {
  expect(eventCells(event('Given to\n worker w1.'))).toEqual([
    time,
    '1',
    'w1 (node7)',
    'Given to worker w1.',
  ]);
  expect(eventCells(event('x', { host: null }))[2]).toBe('w1');
  expect(eventCells(event('x', { host: 'w1' }))[2]).toBe('w1');
  expect(eventCells(event('Staged.', { attempt: null, worker_id: null, host: null }))).toEqual([
    time,
    '',
    '',
    'Staged.',
  ]);
});

it('shows the last events, and how many there are besides', () => {
  const events = ['a', 'b', 'c', 'd', 'e'].map((text) => event(text));
  expect(historyLines(events, { all: false })).toEqual([
    'history:',
    '  … 2 earlier: see `cl events`',
    `  ${time}  c`,
    `  ${time}  d`,
    `  ${time}  e`,
  ]);
  expect(historyLines(events, { all: true })).toHaveLength(6);
  expect(historyLines([], { all: true })).toEqual([]);
});
