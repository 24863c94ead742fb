/* What the server commits is written down on both databases; what it takes back is not. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, requirePostgres, type Postgres } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changesIn, watchChanges } from './changes.ts';
import { postgresql, sqlite, type Sql } from './sql.ts';

function testChanges(engine: 'sqlite' | 'postgresql', open: () => Promise<Sql>): void {
  it('notes every change of a run that is committed', async () => {
    const sql = await open();
    const json = engine === 'sqlite' ? 'text' : 'jsonb';
    sql.run([
      `create table bundle (uuid text, bundle_type text, epoch integer, state text, metadata ${json}, root_entry ${json})`,
    ]);
    watchChanges(sql, engine);
    sql.run([
      `insert into bundle values ('0x1', 'run', 0, 'staged', '{}', null), ('0x2', 'dataset', 0, 'ready', '{}', null)`,
      `update bundle set state = 'running', epoch = 1, metadata = '{"time":1.5}'`,
    ]);
    expect(() => sql.run([`update bundle set state = 'failed'`, 'this is no statement'])).toThrow();
    sql.run([`update bundle set state = 'ready', root_entry = '{"digest":"ab"}'`]);

    expect(changesIn(sql)).toEqual([
      { uuid: '0x1', epoch: 0, state: 'staged', seconds: 0, root: null },
      { uuid: '0x1', epoch: 1, state: 'running', seconds: 1.5, root: null },
      { uuid: '0x1', epoch: 1, state: 'ready', seconds: 1.5, root: expect.stringContaining('ab') },
    ]);
  });
}

describe('with SQLite', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sheaf-changes-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  testChanges('sqlite', () => sqlite(join(directory, 'database')));
});

describeWith('with PostgreSQL', [requirePostgres], () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await requirePostgres();
  });
  afterAll(() => postgres.stop());
  testChanges('postgresql', async () => postgresql(await postgres.freshDatabase()));
});
