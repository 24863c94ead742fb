/* Programs of different versions: what workers of protocol 2 said when it was new, and what those of tomorrow may say besides. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kindsOf } from '../support/events.ts';
import { Installation } from '../support/installation.ts';

interface Recorded {
  readonly checkin: Record<string, unknown>;
  readonly runMessage: Record<string, unknown> & { readonly bundle: Record<string, unknown> };
  readonly startBundle: Record<string, unknown>;
  readonly preparing: Reports;
  readonly running: Reports;
  readonly finalizing: Reports;
  readonly killMessage: Record<string, unknown>;
  readonly finalizedAnswer: Record<string, unknown>[];
}
interface Reports {
  readonly runs: readonly Record<string, unknown>[];
  readonly ack: readonly number[];
}

/** As a worker of version 0.1.0 spoke with its server. It never changes. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'recorded/protocol-2.json'), 'utf8'),
) as Recorded;

let installation: Installation;
beforeAll(async () => {
  installation = new Installation('sandbox');
  await installation.startServer();
});
afterAll(() => installation.stop());

type Messages = (Record<string, unknown> & { bundle?: { uuid: string }; message_id?: number })[];

/** @param more what a worker of tomorrow would add to everything it says */
async function conversation(
  id: string,
  more: Record<string, unknown>,
): Promise<{ uuid: string; run: Messages[0] }> {
  const say = (path: string, body: object) =>
    installation.api<Messages>('POST', `/workers/${id}/${path}`, { ...body, ...more });
  const tag = { tag: id, tag_exclusive: true };
  const about = (reports: Reports, uuid: string, ack: readonly (number | undefined)[] = []) => ({
    runs: reports.runs.map((report) => ({ ...report, ...more, uuid })),
    ack,
  });
  expect(await say('checkin', { ...recorded.checkin, ...tag })).toEqual([null]);
  const uuid = await installation.ok(
    'run',
    '--request-queue',
    id,
    String(recorded.runMessage.bundle['command']),
  );
  const [run] = await say('checkin', { ...recorded.checkin, ...tag, hold: 30 });
  expect(run?.bundle?.uuid).toBe(uuid);

  expect(await say(`start_bundle/${uuid}`, recorded.startBundle)).toBe(true);
  expect(await say('report', about(recorded.preparing, uuid, [run?.message_id]))).toEqual([]);
  expect((await installation.bundle(uuid)).state).toBe('preparing');
  expect(await say('report', about(recorded.running, uuid))).toEqual([]);
  expect((await installation.bundle(uuid)).state).toBe('running');
  await installation.ok('kill', uuid);
  const [kill] = await say('report', about(recorded.running, uuid));
  expect(kill).toEqual({ ...recorded.killMessage, message_id: kill?.message_id, uuid });
  const answer = await say('report', about(recorded.finalizing, uuid, [kill?.message_id]));
  expect(answer).toEqual(recorded.finalizedAnswer.map((message) => ({ ...message, uuid })));
  expect((await installation.finished(uuid)).state).toBe('killed');
  await say('checkout', {});
  return { uuid, run: run ?? {} };
}

it('an older worker is understood, and hears what it understands', async () => {
  const { uuid, run } = await conversation('older', {});

  for (const part of ['bundle', 'resources'] as const) {
    const before = recorded.runMessage[part] as object;
    expect(Object.keys(run?.[part] as object)).toEqual(expect.arrayContaining(Object.keys(before)));
  }
  expect(await kindsOf(installation, uuid)).toEqual([
    'assigned',
    'started',
    'running',
    'kill-requested',
    'failed',
  ]);
});

it('a newer worker is understood, as far as it says what is known', async () => {
  await conversation('newer', { protocol: 3, mood: { good: true }, failure_cause: 'stage fright' });
});

it('a report in a state that nobody knows costs only itself', async () => {
  const uuids = [
    await installation.ok('run', '--request-queue', 'odd', 'true'),
    await installation.ok('run', '--request-queue', 'odd', 'true'),
  ];
  const say = (path: string, body: object) =>
    installation.api<Messages>('POST', `/workers/odd/${path}`, body);
  const checkin = { ...recorded.checkin, tag: 'odd', tag_exclusive: true, cpus: 2 };
  await say('checkin', checkin);
  for (const uuid of uuids) {
    await installation.inState(uuid, 'starting');
    expect(await say(`start_bundle/${uuid}`, { ...recorded.startBundle })).toBe(true);
  }

  const [dancing, running] = recorded.running.runs.flatMap((report) => [
    { ...report, uuid: uuids[0], state: 'dancing' },
    { ...report, uuid: uuids[1] },
  ]);
  await say('report', { runs: [dancing, running], ack: [] });

  expect((await installation.bundle(uuids[0] ?? '')).state).toBe('preparing');
  expect((await installation.bundle(uuids[1] ?? '')).state).toBe('running');
});
