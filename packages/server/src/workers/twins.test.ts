import { describe, expect, it } from 'vitest';
import type { WorkerRow } from './register.ts';
import { refuseTwin } from './twins.ts';

const now = 1_000_000;
const known = (changes: Partial<WorkerRow>): WorkerRow => ({
  user_id: '0',
  worker_id: 'w',
  socket_id: 1,
  checkin_at: now - 5000,
  tag: null,
  group_uuid: null,
  cpus: 1,
  gpus: 0,
  memory_bytes: 0,
  free_disk_bytes: null,
  shared_file_system: 0,
  tag_exclusive: 0,
  exit_after_num_runs: 1,
  is_terminating: 0,
  preemptible: 0,
  hostname: 'node7',
  protocol: 2,
  slots: null,
  version: null,
  instance: 'here',
  runtime: null,
  dependencies: '[]',
  revision: 1,
  ...changes,
});

interface Case {
  before?: Partial<WorkerRow>;
  now: { hostname?: string; instance?: string };
  held?: boolean;
}

const check = ({ before = {}, now: request, held = false }: Case) =>
  refuseTwin(known(before), request, { silence: now - known(before).checkin_at, held });

describe('a worker of a known name', () => {
  it.each<[string, Case]>([
    ['the same again', { now: { hostname: 'node7', instance: 'here' }, held: true }],
    ['a container that was started again', { now: { hostname: 'c2', instance: 'here' } }],
    [
      'another directory, long after the last contact',
      {
        before: { checkin_at: now - 20_001 },
        now: { hostname: 'node7', instance: 'there' },
      },
    ],
    ['an original worker', { before: { instance: null }, now: { hostname: 'node7' }, held: true }],
    [
      'the successor of an original worker on its host',
      {
        before: { instance: null },
        now: { hostname: 'node7', instance: 'here' },
        held: true,
      },
    ],
    ['nobody known before', { before: { hostname: null, instance: null }, now: { hostname: 'node8' } }],
  ])('is let in: %s', (_, one) => {
    expect(() => check(one)).not.toThrow();
  });

  it.each<[string, RegExp, Case]>([
    [
      'another directory of the host',
      /on node7, in another work directory\. Start this one with another --id/,
      {
        now: { hostname: 'node7', instance: 'there' },
      },
    ],
    [
      'another directory, and the first is certainly there',
      /another work directory/,
      {
        before: { checkin_at: now - 60_000 },
        now: { hostname: 'node7', instance: 'there' },
        held: true,
      },
    ],
    ['another host', /id w is running on node7\./, { now: { hostname: 'node8', instance: 'there' } }],
    [
      'a copied machine, while the first is certainly there',
      /on node7\./,
      {
        now: { hostname: 'node8', instance: 'here' },
        held: true,
      },
    ],
    [
      'an original worker elsewhere',
      /on node7\./,
      { before: { instance: null }, now: { hostname: 'node8' } },
    ],
  ])('is refused: %s', (_, sentence, one) => {
    expect(() => check(one)).toThrow(sentence);
  });
});

it('a new name is let in', () => {
  expect(() =>
    refuseTwin(undefined, { hostname: 'node7', instance: 'here' }, { silence: 0, held: false }),
  ).not.toThrow();
});
