/* Reads a server's database beside it: what happened when, for measurements. */
import pg from 'pg';

export interface ReadDatabase {
  all(sql: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** @param place a URL of PostgreSQL, or a file of SQLite */
export async function openRead(place: string): Promise<ReadDatabase> {
  if (place.startsWith('postgres')) {
    const client = new pg.Client({ connectionString: place });
    await client.connect();
    return {
      all: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
      close: () => client.end(),
    };
  }
  const { DatabaseSync } = await import('@photostructure/sqlite');
  const database = new DatabaseSync(place, { readOnly: true });
  return {
    all: async (sql) => database.prepare(sql).all() as Record<string, unknown>[],
    close: async () => database.close(),
  };
}
