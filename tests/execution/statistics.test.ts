/* What runs use: as metadata, as a series, across restarts of worker and server (execution.md §10.4, §21.1). */
import { eventually } from '@sheaf/testkit';
import type { RunStatistics, StatisticsAttempt } from '@sheaf/wire';
import { expect, it } from 'vitest';
import { describeInContainers, describeInSandbox, type Place } from '../support/both-runtimes.ts';
import { end, type Installation } from '../support/installation.ts';

type Metadata = Readonly<Record<string, unknown>>;

/** A loop of the shell that takes some tenths of a second of processor time, at once. */
const burn = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done';

async function attemptsOf(installation: Installation, uuid: string): Promise<StatisticsAttempt[]> {
  const text = await installation.ok('stats', uuid, '--json');
  return (JSON.parse(text) as RunStatistics['attributes']).attempts as StatisticsAttempt[];
}

function numberOf(metadata: Metadata, key: string): number {
  const value = metadata[key];
  return typeof value === 'number' ? value : Number.NaN;
}

function testStatistics(place: () => Place): void {
  it('a command that is over before anybody looks is accounted for', async () => {
    const { installation, flags } = place();
    const uuid = await installation.ok('run', `${burn}; head -c 12345 /dev/zero >out`, ...flags);
    const { state, metadata } = await installation.finished(uuid);

    expect(state).toBe('ready');
    expect(numberOf(metadata, 'time_user') + numberOf(metadata, 'time_system')).toBeGreaterThan(0.02);
    expect(numberOf(metadata, 'memory_max')).toBeGreaterThan(200_000);
    for (const key of ['time', 'cpu_usage', 'memory', 'memory_usage', 'data_size']) {
      expect(numberOf(metadata, key), key).toBeGreaterThan(0);
    }
    for (const stage of ['preparing', 'running', 'cleaning_up', 'uploading_results']) {
      expect(numberOf(metadata, `time_${stage}`), stage).toBeGreaterThan(0);
    }
    const [attempt] = await attemptsOf(installation, uuid);
    const last = attempt?.points.at(-1);
    expect(last?.[3]).toBe(12_345);
    expect((last?.[4] ?? 0) + (last?.[5] ?? 0)).toBeGreaterThan(0.02);
    expect(last?.[1]).toBeGreaterThan(0);
  });

  it('a run of seconds has a point for each, and goes on through restarts of worker and server', async () => {
    const { installation, flags } = place();
    const command = `for step in 1 2 3; do ${burn}; head -c 100000 /dev/zero >>grows; sleep 0.7; done; echo up; while ! [ -e stop ]; do sleep 0.1; done; exit 3`;
    const uuid = await installation.ok('run', command, ...flags);
    await eventually('the first points', async () => {
      const [attempt] = await attemptsOf(installation, uuid);
      return (attempt?.points.length ?? 0) >= 3 ? true : undefined;
    });
    const { metadata: before } = await installation.bundle(uuid);

    await end(installation.worker, 'SIGKILL');
    await end(installation.server, 'SIGKILL');
    await installation.startServer();
    await installation.startWorker();
    await eventually('points after the restart', async () => {
      const [attempt] = await attemptsOf(installation, uuid);
      const { points = [] } = attempt ?? {};
      return (points.at(-1)?.[0] ?? 0) > (points[0]?.[0] ?? 0) + 4000 ? true : undefined;
    });
    const { metadata: later } = await installation.bundle(uuid);
    for (const key of ['time', 'time_user', 'time_system', 'memory_max', 'time_preparing']) {
      expect(numberOf(later, key), key).toBeGreaterThanOrEqual(numberOf(before, key));
    }

    await installation.ok('write', `${uuid}/stop`, 'now');
    const { metadata } = await installation.finished(uuid);
    const attempts = await attemptsOf(installation, uuid);
    expect(attempts).toHaveLength(1);
    const points = attempts[0]?.points ?? [];
    const [first, last] = [points[0], points.at(-1)];
    const times = points.map(([at]) => at);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
    // From the container's start, not from the moment the new worker found it.
    expect(numberOf(metadata, 'time') * 1000).toBeGreaterThanOrEqual((last?.[0] ?? 0) - (first?.[0] ?? 0));
    expect(last?.[3]).toBeGreaterThanOrEqual(300_000);
    for (const column of [4, 5] as const) {
      const totals = points.map((point) => point[column] ?? 0);
      expect(totals).toEqual(totals.toSorted((left, right) => left - right));
    }
    expect(numberOf(metadata, 'time_user')).toBeCloseTo(last?.[4] ?? -1, 2);
    expect(numberOf(metadata, 'exitcode')).toBe(3);
  });

  it('cl shows it', async () => {
    const { installation, flags } = place();
    const uuid = await installation.ok('run', 'sleep 1.5', '-n', 'watched', ...flags);
    const followed = await installation.ok('stats', uuid, '--follow');
    await installation.finished(uuid);

    expect(followed.split('\n')[0]?.split(/\s+/).filter(Boolean)).toEqual([
      'time',
      'cpu',
      'memory',
      'disk',
      'user',
      'system',
    ]);
    expect(followed.split('\n').length).toBeGreaterThan(2);
    expect(await installation.ok('stats', uuid)).toMatch(/^attempt 1: \d+ points/);
    expect(await installation.ok('stats', uuid, '--csv')).toMatch(
      /^attempt,at,cpu,memory,disk,user,system\n1,\d+,/,
    );
    expect(await installation.ok('info', uuid)).toMatch(/^memory_max +: [1-9]\S*$/m);
    expect(await installation.ok('info', uuid)).toMatch(/^time_user +: \S+s$/m);
    expect(await installation.ok('stats', uuid, '--table')).toMatch(/^ *time +cpu +memory/);
  });
}

describeInSandbox('in a sandbox', testStatistics);
describeInContainers('in containers', testStatistics);
