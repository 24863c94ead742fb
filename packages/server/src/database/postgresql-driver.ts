/*
 * PostgreSQL under Kysely. Why not Kysely's own driver: it waits for the answer to each statement, to the beginning of a transaction as
 * well, before it sends the next.
 */
import { CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from 'kysely';
import type { Pool, PoolClient, QueryResult as Answer } from 'pg';
import { isUnanswered } from './unanswered.ts';

export class PostgresqlDriver implements Driver {
  readonly #pool: Pool;
  readonly #connections = new WeakMap<PoolClient, PipelinedConnection>();

  /** @param pool of clients that send what they are given without waiting (`pipeline`) */
  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PipelinedConnection> {
    const client = await this.#pool.connect();
    const known = this.#connections.get(client);
    if (known !== undefined) return known;
    const connection = new PipelinedConnection(client);
    this.#connections.set(client, connection);
    return connection;
  }

  async releaseConnection(connection: PipelinedConnection): Promise<void> {
    connection.release();
  }

  async beginTransaction(connection: PipelinedConnection): Promise<void> {
    connection.send(CompiledQuery.raw('begin'));
  }

  async commitTransaction(connection: PipelinedConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: PipelinedConnection): Promise<void> {
    await connection.rollback();
  }

  async destroy(): Promise<void> {
    await this.#pool.end();
  }
}

class PipelinedConnection implements DatabaseConnection {
  readonly #client: PoolClient;
  /** Sent, and nobody has waited for them yet. */
  #sent: Promise<Answer>[] = [];

  constructor(client: PoolClient) {
    this.#client = client;
  }

  /** Sends a statement. What goes wrong with it is thrown by the next that is waited for. */
  send(query: CompiledQuery): void {
    const answer = this.#ask(query);
    // Until somebody waits for it.
    answer.catch(() => undefined);
    this.#sent.push(answer);
  }

  /** The database answers in the order in which it was asked: of several errors, the first is thrown, which is why the others are. */
  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    if (isUnanswered(query)) {
      this.send(query);
      return { rows: [] };
    }
    const before = this.#sent;
    this.#sent = [];
    const asked = this.#ask(query);
    await Promise.all([...before, asked]);
    const { command, rowCount, rows } = await asked;
    const counts = ['INSERT', 'UPDATE', 'DELETE', 'MERGE'].includes(command);
    return { rows: rows as Row[], ...(counts ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}) };
  }

  async rollback(): Promise<void> {
    await Promise.allSettled(this.#sent.splice(0));
    await this.#ask(CompiledQuery.raw('rollback'));
  }

  release(): void {
    this.#client.release();
  }

  async *streamQuery<Row>(query: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    yield await this.executeQuery<Row>(query);
  }

  #ask({ sql, parameters }: CompiledQuery): Promise<Answer> {
    return this.#client.query(sql, [...parameters]);
  }
}
