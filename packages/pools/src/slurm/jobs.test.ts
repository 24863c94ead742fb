import { expect, it } from 'vitest';
import { commentOf, parseJobs } from './jobs.ts';

it('jobs of the pool are told from those of other pools, and those of other programs are counted', () => {
  const text = [
    `7|PENDING|1795569951|N/A|Resources|${commentOf('me-w-1', 'pool')}`,
    `8|RUNNING|1795569951|1795569960|None|${commentOf('me-w-2', 'pool')}`,
    `9|RUNNING|1795569951|1795569960|None|${commentOf('me-w-3', 'other')}`,
    '10|RUNNING|1795569951|1795569960|None|(null)',
    '11|FAILED|1795569951|1795569960|NonZeroExitCode|(null)',
    '12|CANCELLED|1795569951|N/A|None|(null)',
    '13|REQUEUE_HOLD|1795569951|1795569960|launch failed requeued held|(null)',
    '',
  ].join('\n');

  expect(
    parseJobs(text, 'pool').map(({ id, workerId, phase, failed, note }) => [
      id,
      workerId,
      phase,
      failed,
      note,
    ]),
  ).toEqual([
    ['7', 'me-w-1', 'waiting', false, 'Resources'],
    ['8', 'me-w-2', 'running', false, 'RUNNING'],
    ['10', undefined, 'running', false, 'RUNNING'],
    ['11', undefined, 'ended', true, 'FAILED, NonZeroExitCode'],
    ['12', undefined, 'ended', false, 'CANCELLED'],
    ['13', undefined, 'waiting', false, 'launch failed requeued held'],
  ]);
  expect(parseJobs(text, 'pool')[1]).toMatchObject({
    submittedAt: 1_795_569_951_000,
    runningSince: 1_795_569_960_000,
  });
});
