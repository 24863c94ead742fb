/*
 * The embedded engine under Kysely: one connection, prepared statements kept, `begin immediate`.
 * Why not Kysely's own SqliteDriver: it prepares every statement anew (measured 2.4 times slower) and begins deferred, so that
 * two units of work could both read before either writes.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';
import { RowCell } from './row-cell.ts';

export interface SqliteStatement {
  all(...parameters: unknown[]): unknown[];
  run(...parameters: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  columns(): unknown[];
}

export interface SqliteConnection {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): void;
  close(): void;
}

const keptStatements = 500;

export class SqliteDriver implements Driver {
  readonly #connection: KeptStatementConnection;
  readonly #queue: (() => void)[] = [];
  #busy = false;
  readonly #inTransaction = new AsyncLocalStorage<boolean>();

  constructor(connection: SqliteConnection) {
    this.#connection = new KeptStatementConnection(connection);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#inTransaction.getStore() === true) {
      throw new Error(
        'A query outside the open transaction would wait for itself: use the queries the transaction gave you.',
      );
    }
    if (!this.#busy) {
      this.#busy = true;
      return this.#connection;
    }
    await new Promise<void>((resolve) => this.#queue.push(resolve));
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    const next = this.#queue.shift();
    if (next === undefined) this.#busy = false;
    else next();
  }

  async beginTransaction(): Promise<void> {
    this.#connection.execute('begin immediate');
  }

  async commitTransaction(): Promise<void> {
    this.#connection.execute('commit');
  }

  async rollbackTransaction(): Promise<void> {
    try {
      this.#connection.execute('rollback');
    } catch (error) {
      // A disk that is full ends the transaction by itself; what is thrown then is to be known, not this.
      if (!(error instanceof Error) || !/no transaction is active/.test(error.message)) throw error;
    }
  }

  /** Marks everything `work` awaits as being inside a transaction: a stray query outside it fails instead of hanging. Costly. */
  guard<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#inTransaction.run(true, work);
  }

  async destroy(): Promise<void> {
    this.#connection.close();
  }
}

class KeptStatementConnection implements DatabaseConnection {
  readonly #connection: SqliteConnection;
  readonly #statements = new Map<string, { statement: SqliteStatement; returnsRows: boolean }>();

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { sql, parameters } = query;
    const cell = parameters.find((parameter) => parameter instanceof RowCell);
    if (cell !== undefined) return this.#rowByRow(sql, parameters, cell.rows);
    const { statement, returnsRows } = this.#prepare(sql);
    if (returnsRows) return { rows: statement.all(...parameters) as Row[] };
    const { changes, lastInsertRowid } = statement.run(...parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  #rowByRow<Row>(sql: string, parameters: readonly unknown[], rows: readonly object[]): QueryResult<Row> {
    const { statement, returnsRows } = this.#prepare(sql);
    const answered: Row[] = [];
    let affected = 0n;
    for (const row of rows) {
      const values = parameters.map((parameter) =>
        parameter instanceof RowCell ? parameter.of(row) : parameter,
      );
      if (returnsRows) answered.push(...(statement.all(...values) as Row[]));
      else affected += BigInt(statement.run(...values).changes);
    }
    return { rows: answered, numAffectedRows: affected };
  }

  async *streamQuery<Row>(query: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    yield await this.executeQuery<Row>(query);
  }

  execute(sql: string): void {
    this.#prepare(sql).statement.run();
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }

  #prepare(sql: string): { statement: SqliteStatement; returnsRows: boolean } {
    const kept = this.#statements.get(sql);
    if (kept !== undefined) {
      // Moved to the end: the first key of the map is the one unused for longest.
      this.#statements.delete(sql);
      this.#statements.set(sql, kept);
      return kept;
    }
    const statement = this.#connection.prepare(sql);
    const prepared = { statement, returnsRows: statement.columns().length > 0 };
    this.#statements.set(sql, prepared);
    if (this.#statements.size > keptStatements) {
      const oldest = this.#statements.keys().next();
      if (oldest.done !== true) this.#statements.delete(oldest.value);
    }
    return prepared;
  }
}
