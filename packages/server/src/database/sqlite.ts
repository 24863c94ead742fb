import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
  type RawBuilder,
  type Transaction,
} from 'kysely';
import type { Database, SqlDialect, TransactionQueries } from './database.ts';
import type { Tables } from './schema.ts';
import { LogSync, openLogFile } from './log-sync.ts';
import { SqliteDriver, type SqliteConnection } from './sqlite-driver.ts';

export interface SqliteOptions {
  readonly openLog?: (file: string) => Promise<LogSync>;
  /**
   * Has a query outside the open transaction, which would wait for itself, fail instead. For tests: following each promise to know where it
   * comes from takes a tenth of all that a short run costs the server.
   */
  readonly guarded?: boolean;
}

/** Opens (and creates) an embedded database; `:memory:` keeps nothing. */
export async function openSqlite(
  file: string,
  { openLog = openLogFile, guarded = false }: SqliteOptions = {},
): Promise<Database> {
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const connection = await connect(file);
  const log = await keepLog(connection, file, openLog);
  connection.exec('pragma foreign_keys = on');
  connection.exec('pragma busy_timeout = 5000');
  connection.exec('pragma cache_size = -16000');
  // The same pages are written again and again: the longer the log before it is taken over, the fewer of them are.
  connection.exec('pragma wal_autocheckpoint = 4000');
  const driver = new SqliteDriver(connection);
  const oneByOne = turns();
  const queries = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  return {
    queries,
    dialect: sqliteDialect,
    batchesAtOnce: 1,
    transaction: async <Result>(work: (inside: TransactionQueries) => Promise<Result>) => {
      const result = await oneByOne(async () => {
        await breath();
        return await queries
          .transaction()
          .execute((inside: Transaction<Tables>) =>
            guarded ? driver.guard(() => work(inside)) : work(inside),
          );
      });
      // Also where nothing was changed: what was read may have been committed a moment ago.
      await log.synced();
      return result;
    },
    close: async () => {
      await log.close();
      await queries.destroy();
    },
  };
}

/** What a user was told is saved survives a power cut: commits go to a log, which is synced before anybody is told, off the event loop. */
async function keepLog(
  connection: SqliteConnection,
  file: string,
  openLog: (file: string) => Promise<LogSync>,
): Promise<LogSync> {
  const [mode] = connection.prepare('pragma journal_mode = wal').all() as { journal_mode: string }[];
  if (mode?.journal_mode !== 'wal') {
    // In memory, and on filesystems that cannot share memory: whatever there is to sync, each commit syncs itself.
    connection.exec('pragma synchronous = full');
    const nothing = () => Promise.resolve();
    return new LogSync(nothing, nothing);
  }
  connection.exec('pragma synchronous = normal');
  // Whoever reads opens the log, and makes it where it is not there.
  connection.exec('select count(*) from sqlite_schema');
  return await openLog(`${file}-wal`);
}

/** Transactions wait here for each other, so that whoever only asks for something waits for the present one, and not for all of them. */
function turns(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let before: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = before.then(work);
    before = mine.catch(() => undefined);
    return mine;
  };
}

/**
 * Everything this engine does is done when it is asked for: one transaction after the other, each begun by the one before, would never
 * let the process hear of anything else.
 */
async function breath(): Promise<void> {
  for (let turn = 0; turn < turnsBetween; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The event loop takes one new connection in a turn, and turns without work cost microseconds. */
const turnsBetween = 16;

/** Node 24 has SQLite built in; before, a prebuilt module with the same interface. */
async function connect(file: string): Promise<SqliteConnection> {
  const major = Number(process.versions.node.split('.')[0]);
  const module: string = major >= 24 ? 'node:sqlite' : '@photostructure/sqlite';
  const { DatabaseSync } = (await import(module)) as { DatabaseSync: new (path: string) => SqliteConnection };
  return new DatabaseSync(file);
}

const path = (key: string) => `$."${key.replaceAll('"', '')}"`;

function mergeJsonFrom(column: string, patch: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`json_patch(case when json_valid(${sql.ref(column)}) and json_type(${sql.ref(column)}) = 'object'
      then ${sql.ref(column)} else '{}' end, ${patch})`;
}

const sqliteDialect: SqlDialect = {
  name: 'sqlite',
  identity: 'integer primary key autoincrement',
  integer: 'integer',
  real: 'real',
  json: 'text',
  equalityIndex: (column) => `(${column})`,
  mergeJson: (column, patch) => mergeJsonFrom(column, sql`${JSON.stringify(patch)}`),
  mergeJsonFrom,
  jsonRows: (columns, values) => {
    const cells = columns.map(
      ([name], at) => sql`json_extract(value, ${sql.lit(`$[${at}]`)}) as ${sql.ref(name)}`,
    );
    return sql`(select ${sql.join(cells)} from json_each(${values}))`;
  },
  rowByRow: true,
  json_: (value) => sql<string>`${JSON.stringify(value)}`,
  jsonText: (column, key) => sql<string | null>`case json_type(${sql.ref(column)}, ${path(key)})
    when 'true' then 'True' when 'false' then 'False' when 'null' then null
    else cast(json_extract(${sql.ref(column)}, ${path(key)}) as text) end`,
  jsonArrayAny: (column, key, condition) => {
    const element = sql<string>`each.value` as RawBuilder<string>;
    return sql<boolean>`exists (select 1 from json_each(${sql.ref(column)}, ${path(key)}) as each where ${condition(element)})`;
  },
  jsonListAny: (column, condition) => {
    const element = sql<string>`each.value` as RawBuilder<string>;
    return sql<boolean>`exists (select 1 from json_each(${sql.ref(column)}) as each where ${condition(element)})`;
  },
  jsonAnyValue: (column, condition) => {
    const value = sql<string>`case each.type when 'true' then 'True' when 'false' then 'False'
      else cast(each.atom as text) end` as RawBuilder<string>;
    return sql<boolean>`exists (select 1 from json_tree(${sql.ref(column)}) as each
      where each.atom is not null and ${condition(value)})`;
  },
  toNumber: (expression) => sql<number>`coalesce(cast(${expression} as real), 0)`,
  rowLock: sql``,
};
