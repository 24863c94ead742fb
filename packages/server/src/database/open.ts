import type { Settings } from '../settings/settings.ts';
import type { Database } from './database.ts';
import { migrate } from './migrate.ts';
import { openPostgresql } from './postgresql.ts';
import { openSqlite, type SqliteOptions } from './sqlite.ts';

/** Opens the configured database and brings its tables up to date. */
export async function openDatabase(
  settings: Settings['database'],
  options: Pick<SqliteOptions, 'guarded'> = {},
): Promise<Database> {
  const database =
    settings.engine === 'sqlite'
      ? await openSqlite(settings.file, options)
      : await openPostgresql(settings.url);
  try {
    await migrate(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}
