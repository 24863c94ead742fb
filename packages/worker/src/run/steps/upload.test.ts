/* How long results are kept on trying to reach the server, and what ends it. */
import { ConnectionError } from '@sheaf/client';
import { hashDirectory, MemoryStore, sendToStore, type SendPeer } from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runMessageFor } from '../../testing/run-message.ts';
import { silent } from '../../testing/worker-bench.ts';
import { HeldRun } from '../held-run.ts';
import { newRecord } from '../record.ts';
import { SavedRuns } from '../saved-runs.ts';
import type { Attempt } from '../tools.ts';
import { upload } from './upload.ts';

let directory: string;
/** Milliseconds that have passed; the wall clock may say anything. */
let elapsed: number;
let wallClock: () => number;
let pauses: number[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-upload-'));
  writeFileSync(join(directory, 'result'), 'text');
  elapsed = 0;
  wallClock = () => elapsed;
  pauses = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const stored = new MemoryStore();

/** An attempt whose peer fails with what `failure` answers, as long as it answers something. */
async function attemptWith(
  failure: (tries: number) => Error | undefined,
  also: Partial<SendPeer<unknown>> = {},
): Promise<Attempt> {
  const run = new HeldRun({
    record: { ...newRecord(runMessageFor(), 0), step: 'upload' },
    directory,
    recovered: false,
    saved: await SavedRuns.open(join(directory, 'states'), silent),
    log: silent,
    changed: () => undefined,
  });
  let tries = 0;
  const real = sendToStore(stored);
  const peer: SendPeer<unknown> = {
    ...real,
    ...also,
    commitPack: (...parameters) => {
      tries += 1;
      const problem = failure(tries);
      return problem === undefined ? real.commitPack(...parameters) : Promise.reject(problem);
    },
  };
  const clock = {
    now: () => wallClock(),
    elapsed: () => elapsed,
    sleep: (milliseconds: number) => {
      pauses.push(milliseconds);
      elapsed += milliseconds;
      return Promise.resolve();
    },
  };
  const tools = { results: () => peer, clock, random: () => 1, log: silent } as unknown as Attempt['tools'];
  const hashed = await hashDirectory(directory, { skip: new Set(['states']) });
  return {
    run,
    tools,
    signal: new AbortController().signal,
    hashed,
    unstorable: undefined,
    destroying: undefined,
  };
}

const away = new ConnectionError('Cannot reach the server.');

it('goes on for days while the server is away, with growing pauses', async () => {
  const attempt = await attemptWith((tries) => (tries < 5000 ? away : undefined));

  expect(await upload(attempt)).toBe('finish');

  expect(attempt.run.record.failure).toBeNull();
  expect(pauses.slice(0, 4)).toEqual([1000, 2000, 4000, 8000]);
  expect(Math.max(...pauses)).toBe(60_000);
});

it('counts errors of the server as absence', async () => {
  const attempt = await attemptWith((tries) =>
    tries < 20 ? new SheafError('internal', 'upset') : undefined,
  );

  expect(await upload(attempt)).toBe('finish');
  expect(attempt.run.record.failure).toBeNull();
});

it('gives up after six hours of answers that are errors, and says why', async () => {
  const attempt = await attemptWith(() => new SheafError('internal', 'upset'));

  expect(await upload(attempt)).toBe('finish');

  expect(elapsed).toBeGreaterThan(6 * 3_600_000);
  expect(attempt.run.record.failure).toBe('Error while uploading: upset');
});

it('does not give up because somebody sets the clock', async () => {
  const day = 24 * 3_600_000;
  wallClock = () => elapsed + (elapsed > 5000 ? day : 0);
  const attempt = await attemptWith((tries) =>
    tries < 20 ? new SheafError('storage-full', 'The server has no disk space left.') : undefined,
  );

  expect(await upload(attempt)).toBe('finish');
  expect(attempt.run.record.failure).toBeNull();
});

it('does not try again what the server refuses, and keeps what had failed before', async () => {
  const attempt = await attemptWith(() => new SheafError('quota-exceeded', 'Upload failed: too much'));
  attempt.run.record.failure = 'Memory limit 1g exceeded.';

  expect(await upload(attempt)).toBe('finish');

  expect(pauses).toEqual([]);
  expect(attempt.run.record.failure).toBe(
    'Memory limit 1g exceeded.. Error while uploading: Upload failed: too much',
  );
  expect(attempt.run.record.unsent).toBe(true);
});

it('tries again after a conflict, as when an upload before it is still being received', async () => {
  const attempt = await attemptWith((tries) =>
    tries < 20 ? new SheafError('conflict', 'somebody else is sending this') : undefined,
  );

  expect(await upload(attempt)).toBe('finish');
  expect(attempt.run.record.failure).toBeNull();
});

it('waits for the word of the server where the run is given up there, and may be taken back', async () => {
  const attempt = await attemptWith((tries) =>
    tries < 8 ? new SheafError('stale-assignment', 'Attempt 1 is not the current one.') : undefined,
  );

  expect(await upload(attempt)).toBe('finish');
  expect(attempt.run.record).toMatchObject({ failure: null, unsent: false });
});

it('fails the run where something could not be stored, although all the rest is', async () => {
  const attempt = await attemptWith(() => undefined);
  attempt.unstorable = 'b\\xff: its name is not valid UTF-8. Everything else is stored.';

  expect(await upload(attempt)).toBe('finish');
  expect(attempt.run.record).toMatchObject({
    unsent: true,
    failure: 'Error while uploading: b\\xff: its name is not valid UTF-8. Everything else is stored.',
  });
});

it('asks whether the very results are there already where the run is final, and is no failure then', async () => {
  const attempt = await attemptWith(() => new SheafError('already-final', 'bundle already finalized.'));
  expect(await upload(attempt)).toBe('finish');

  expect(attempt.run.record).toMatchObject({ failure: null, unsent: false });
  expect(pauses).toEqual([]);
});

it('keeps the results of a run that is final without them', async () => {
  const attempt = await attemptWith(() => new SheafError('already-final', 'bundle already finalized.'), {
    commit: () => Promise.reject(new SheafError('already-final', 'bundle already finalized.')),
  });

  expect(await upload(attempt)).toBe('finish');

  expect(attempt.run.record).toMatchObject({
    failure: 'Error while uploading: bundle already finalized.',
    unsent: true,
  });
});

it('asks again where the server is away just then', async () => {
  let asked = 0;
  const attempt = await attemptWith(() => new SheafError('already-final', 'bundle already finalized.'), {
    commit: () => {
      asked += 1;
      return asked < 3 ? Promise.reject(away) : Promise.resolve({});
    },
  });

  expect(await upload(attempt)).toBe('finish');

  expect(attempt.run.record.failure).toBeNull();
  expect(pauses).toEqual([1000, 2000]);
});

it('does not go on for ever with failures of its own', async () => {
  const attempt = await attemptWith(() => new Error('the disk is upset'));

  expect(await upload(attempt)).toBe('finish');

  expect(pauses).toHaveLength(4);
  expect(attempt.run.record.failure).toBe('Error while uploading: the disk is upset');
});

it('hashes again what has changed on disk', async () => {
  const attempt = await attemptWith(() => undefined);
  writeFileSync(join(directory, 'result'), 'other');

  expect(await upload(attempt)).toBe('collect');
});

it('hashes first where a worker before it had', async () => {
  const attempt = await attemptWith(() => undefined);
  attempt.hashed = undefined;

  expect(await upload(attempt)).toBe('collect');
});

it('waits for it also where the run was stopped because of a limit', async () => {
  const attempt = await attemptWith((tries) =>
    tries < 8 ? new SheafError('stale-assignment', 'Attempt 1 is not the current one.') : undefined,
  );
  attempt.run.record.kill = { kind: 'limit', message: 'Time limit exceeded.' };

  expect(await upload(attempt)).toBe('finish');
  expect(attempt.run.record).toMatchObject({ failure: null, unsent: false });
});

it('gives results up that belong to an attempt which was killed and is another worker’s now', async () => {
  const attempt = await attemptWith(() => new SheafError('stale-assignment', 'not the current one'));
  attempt.run.record.kill = { kind: 'request', message: 'Kill requested' };

  expect(await upload(attempt)).toBe('finish');

  expect(pauses).toEqual([]);
});
