import type { RunReportInput } from '@sheaf/wire';
import { eventually } from '@sheaf/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { silent } from '../testing/worker-bench.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { Reporter } from './reporter.ts';

let sent: { readonly runs: string[]; readonly ack: readonly number[] }[];
let failure: Error | undefined;
let stop: AbortController;
let acknowledgements: Acknowledgements;
let reporter: Reporter;
beforeEach(() => {
  sent = [];
  failure = undefined;
  stop = new AbortController();
  acknowledgements = new Acknowledgements();
  reporter = new Reporter({
    send: async ({ runs, ack }) => {
      if (failure !== undefined) throw failure;
      sent.push({ runs: runs.map(({ uuid }) => uuid), ack });
      return [];
    },
    reports: (uuids) => [...uuids].map((uuid): RunReportInput => ({ uuid, state: 'running' })),
    handle: () => Promise.resolve(true),
    unknown: () => undefined,
    acknowledgements,
    signal: stop.signal,
    clock: { ...systemClock, sleep: () => Promise.resolve() },
    random: () => 0,
    log: silent,
  });
  reporter.open();
});
afterEach(() => stop.abort(new Error('over')));

it('tells a change of state at once, and with it what could have waited', async () => {
  reporter.changed('one', 'soon');
  reporter.changed('one', 'soon');
  reporter.changed('two', 'now');
  await reporter.settled();

  expect(sent).toEqual([{ runs: ['one', 'two'], ack: [] }]);
});

it('tells what is not urgent a moment later, all of it together', async () => {
  reporter.changed('one', 'soon');
  await Promise.resolve();
  acknowledgements.done(7);
  reporter.changed('two', 'soon');
  expect(sent).toEqual([]);

  await eventually('a report', () => sent[0]);
  expect(sent).toEqual([{ runs: ['one', 'two'], ack: [7] }]);
});

it('keeps nothing back from whoever waits for all to be told', async () => {
  reporter.changed('one', 'soon');
  await reporter.settled();

  expect(sent).toHaveLength(1);
});

it('tells again what could not be told, with what has changed meanwhile', async () => {
  failure = new Error('the server is away');
  reporter.changed('one', 'now');
  await Promise.resolve();
  await Promise.resolve();
  reporter.changed('two', 'soon');
  failure = undefined;
  await reporter.settled();

  expect(sent.flatMap(({ runs }) => runs).toSorted()).toEqual(['one', 'two']);
});
