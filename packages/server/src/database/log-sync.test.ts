import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sql } from 'kysely';
import { LogSync } from './log-sync.ts';
import { openSqlite } from './sqlite.ts';

/** A disk that takes what it is given when the test says so. */
class SlowDisk {
  readonly syncs: { done: () => void; fail: (error: Error) => void }[] = [];
  closed = false;
  readonly log = new LogSync(
    () => new Promise((done, fail) => this.syncs.push({ done, fail })),
    () => {
      this.closed = true;
      return Promise.resolve();
    },
  );
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  promise.then(note, note);
  await turn();
  return settled;
}

describe('what was committed', () => {
  let disk: SlowDisk;

  beforeEach(() => {
    disk = new SlowDisk();
  });

  it('is on the disk when a sync that began after it has ended', async () => {
    const first = disk.log.synced();
    await turn();
    const second = disk.log.synced();
    await turn();
    expect(disk.syncs).toHaveLength(1);
    disk.syncs[0]?.done();
    await first;
    expect(await isSettled(second)).toBe(false);
    disk.syncs[1]?.done();
    await second;
  });

  it('shares the next sync with all that comes while one is under way', async () => {
    const first = disk.log.synced();
    await turn();
    const others = [disk.log.synced(), disk.log.synced(), disk.log.synced()];
    disk.syncs[0]?.done();
    await first;
    await turn();
    disk.syncs[1]?.done();
    await Promise.all(others);
    expect(disk.syncs).toHaveLength(2);
  });

  it('is never said to be there again once the disk has failed', async () => {
    const first = disk.log.synced();
    await turn();
    const waiting = disk.log.synced();
    disk.syncs[0]?.fail(new Error('EIO: i/o error'));
    await expect(first).rejects.toThrow('The disk could not take what the database has committed');
    await expect(waiting).rejects.toThrow('restart the server');
    await expect(disk.log.synced()).rejects.toMatchObject({ cause: new Error('EIO: i/o error') });
    expect(disk.syncs).toHaveLength(1);
  });

  it('is waited for when the log is closed', async () => {
    const last = disk.log.synced();
    await turn();
    const closing = disk.log.close();
    expect(await isSettled(closing)).toBe(false);
    disk.syncs[0]?.done();
    await Promise.all([last, closing]);
    expect(disk.closed).toBe(true);
  });
});

describe('a transaction of the embedded database', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sheaf-log-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('is told to be done when it is on the disk; others go on meanwhile', async () => {
    const disk = new SlowDisk();
    const database = await openSqlite(join(directory, 'sheaf.db'), {
      openLog: () => Promise.resolve(disk.log),
    });
    let isDone = false;
    const first = database
      .transaction((queries) => sql`create table note (text text)`.execute(queries))
      .then(() => {
        isDone = true;
      });
    while (disk.syncs.length === 0) await turn();
    expect(isDone).toBe(false);
    const second = database.transaction(async (queries) => {
      await sql`insert into note values ('there')`.execute(queries);
      expect(isDone).toBe(false);
    });
    await expect
      .poll(() => sql<{ text: string }>`select text from note`.execute(database.queries))
      .toMatchObject({ rows: [{ text: 'there' }] });
    disk.syncs[0]?.done();
    await first;
    while (disk.syncs.length === 1) await turn();
    disk.syncs[1]?.done();
    await second;
    await database.close();
  });

  it('finds the log where the database makes it, also in a directory that is new', async () => {
    const database = await openSqlite(join(directory, 'new', 'sheaf.db'));
    await database.transaction((queries) => sql`create table note (text text)`.execute(queries));
    await database.close();
    const again = await openSqlite(join(directory, 'new', 'sheaf.db'));
    const rows = await again.transaction((queries) => sql`select * from note`.execute(queries));
    expect(rows.rows).toEqual([]);
    await again.close();
  });
});
