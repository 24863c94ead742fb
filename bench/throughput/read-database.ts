/* Reads a server's database beside it: what happened when, for measurements. */
import { runProcess } from '@sheaf/testkit';

export interface ReadDatabase {
  all(sql: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** @param place a URL of PostgreSQL, or a file of SQLite */
export async function openRead(place: string): Promise<ReadDatabase> {
  if (place.startsWith('postgres')) {
    return {
      all: async (sql) => {
        const words = [place, '--tuples-only', '--no-align', '--command'];
        const rows = await runProcess('psql', [
          ...words,
          `select coalesce(json_agg(found), '[]') from (${sql}) as found`,
        ]);
        return JSON.parse(rows) as Record<string, unknown>[];
      },
      close: async () => undefined,
    };
  }
  const { DatabaseSync } = await import('@photostructure/sqlite');
  const database = new DatabaseSync(place, { readOnly: true });
  return {
    all: async (sql) => database.prepare(sql).all() as Record<string, unknown>[],
    close: async () => database.close(),
  };
}
