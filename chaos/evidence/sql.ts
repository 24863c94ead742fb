/** Looks into the server's database beside the server, and adds to it what writes down every change. */
import { execFileSync } from 'node:child_process';

export interface Sql {
  /** Statements, one after the other, in one transaction. */
  run(statements: readonly string[]): void;
  /** @throws where a row does not look like `Row`, nobody notices: the queries stand beside their types */
  rows<Row>(query: string): Row[];
}

interface SqliteConnection {
  exec(statement: string): void;
  prepare(query: string): { all(): unknown[] };
  close(): void;
}

/** @param file of an embedded database */
export async function sqlite(file: string): Promise<Sql> {
  const major = Number(process.versions.node.split('.')[0]);
  const module: string = major >= 24 ? 'node:sqlite' : '@photostructure/sqlite';
  const { DatabaseSync } = (await import(module)) as { DatabaseSync: new (path: string) => SqliteConnection };
  const use = <Result>(work: (connection: SqliteConnection) => Result): Result => {
    const connection = new DatabaseSync(file);
    try {
      connection.exec('pragma busy_timeout = 20000');
      return work(connection);
    } finally {
      connection.close();
    }
  };
  return {
    run: (statements) =>
      use((connection) => {
        for (const one of ['begin immediate', ...statements, 'commit']) connection.exec(one);
      }),
    rows: <Row>(query: string) => use((connection) => connection.prepare(query).all() as Row[]),
  };
}

export function postgresql(url: string): Sql {
  const psql = (text: string): string =>
    execFileSync('psql', [url, '-q', '-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', text], {
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    });
  return {
    run: (statements) => void psql(statements.join(';\n')),
    rows: <Row>(query: string) =>
      JSON.parse(psql(`select coalesce(json_agg(row), '[]') from (${query}) as row`)) as Row[],
  };
}
