import { sql } from 'kysely';
import { StartError } from '../start-error.ts';
import type { Database } from './database.ts';
import { initial } from './migrations/0001-initial.ts';
import { storesAndNames } from './migrations/0002-stores-and-names.ts';
import { runSeries } from './migrations/0003-run-series.ts';
import { actionKeys } from './migrations/0004-action-keys.ts';
import { sharedFilesystem } from './migrations/0005-shared-filesystem.ts';
import { workerInstance } from './migrations/0007-worker-instance.ts';
import { workerRevision } from './migrations/0008-worker-revision.ts';
import { openBundles } from './migrations/0009-open-bundles.ts';

/** A step forward; there is no way back. `name` is recorded and never changes. */
export interface Migration {
  readonly name: string;
  readonly statements: (dialect: Database['dialect']) => readonly string[];
}

const migrations: readonly Migration[] = [
  initial,
  storesAndNames,
  runSeries,
  actionKeys,
  sharedFilesystem,
  workerInstance,
  workerRevision,
  openBundles,
];

/** Any number, as long as it is always the same: several servers starting at once take turns. */
const migrationLock = 0x5eaf;

/**
 * Applies what is missing, in order, in one transaction under a lock.
 * @throws StartError a newer server has been here: what it has changed this one does not know
 */
export async function migrate(database: Database): Promise<void> {
  const { dialect } = database;
  await database.transaction(async (queries) => {
    if (dialect.name === 'postgresql')
      await sql`select pg_advisory_xact_lock(${migrationLock})`.execute(queries);
    await sql`create table if not exists migration (name text primary key, applied_at ${sql.raw(dialect.integer)} not null)`.execute(
      queries,
    );
    const done = await sql<{ name: string }>`select name from migration`.execute(queries);
    const applied = new Set(done.rows.map((row) => row.name));
    refuseNewer(applied);
    for (const migration of migrations) {
      if (applied.has(migration.name)) continue;
      for (const statement of migration.statements(dialect)) await sql.raw(statement).execute(queries);
      await sql`insert into migration (name, applied_at) values (${migration.name}, ${new Date().getTime()})`.execute(
        queries,
      );
    }
  });
}

function refuseNewer(applied: ReadonlySet<string>): void {
  const known = new Set(migrations.map(({ name }) => name));
  const unknown = [...applied].filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new StartError(
    `The database was changed by a newer version of this server (${unknown.join(', ')}): start that version, or restore a copy of the database from before.`,
  );
}
