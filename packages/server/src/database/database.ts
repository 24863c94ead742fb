import type { Kysely, RawBuilder, Transaction } from 'kysely';
import type { Tables } from './schema.ts';

export type Queries = Kysely<Tables>;
/** Inside a transaction; every query of a unit of work goes through it. */
export type TransactionQueries = Transaction<Tables>;

/** The few things the two engines say differently. Callers branch on these, never on the engine's name. */
export interface SqlDialect {
  readonly name: 'sqlite' | 'postgresql';
  /** SQL type of an auto-incremented primary key. */
  readonly identity: string;
  /** SQL type of 64-bit integers. */
  readonly integer: string;
  readonly real: string;
  readonly json: string;
  /** What follows `on <table>` in an index on a text of any length that is only looked up whole. */
  equalityIndex(column: string): string;
  /** Merges a JSON object into a JSON column; null removes the key. What is no object there counts as an empty one. */
  mergeJson(column: string, patch: Record<string, unknown>): RawBuilder<string>;
  /** The same with a patch that is an expression for a JSON object. */
  mergeJsonFrom(column: string, patch: RawBuilder<unknown>): RawBuilder<string>;
  /** A table whose rows are the arrays in a JSON array, in their order; columns with their names and types. */
  jsonRows(
    columns: readonly (readonly [string, 'text' | 'integer' | 'real' | 'json'])[],
    values: string,
  ): RawBuilder<unknown>;
  /** Whether a statement is executed for each of many rows, because that costs less than one for all (`RowCell`). */
  readonly rowByRow: boolean;
  /** A JSON parameter for an insert or update. */
  json_(value: unknown): RawBuilder<string>;
  /** The text of one key of a JSON object column; null where it is absent. Booleans read `True` and `False` as in bundles.md §4.1. */
  jsonText(column: string, key: string): RawBuilder<string | null>;
  /** Whether a JSON array column's key has an element for which the condition (on the SQL name `element`) holds. */
  jsonArrayAny(
    column: string,
    key: string,
    condition: (element: RawBuilder<string>) => RawBuilder<boolean>,
  ): RawBuilder<boolean>;
  /** Whether an element of a column that is a JSON array fulfils the condition. */
  jsonListAny(
    column: string,
    condition: (element: RawBuilder<string>) => RawBuilder<boolean>,
  ): RawBuilder<boolean>;
  /** Whether any value of a JSON object column, or an element of a list in it, fulfils the condition. */
  jsonAnyValue(
    column: string,
    condition: (value: RawBuilder<string>) => RawBuilder<boolean>,
  ): RawBuilder<boolean>;
  /** A text as a number, its leading number, or 0. */
  toNumber(expression: RawBuilder<string | null>): RawBuilder<number>;
  /** Locks the rows a query selects until the transaction ends; nothing where one writer is all there is. */
  readonly rowLock: RawBuilder<unknown>;
}

export interface Database {
  readonly queries: Queries;
  /** Transactions with much to do that go on beside each other without only waiting. */
  readonly batchesAtOnce: number;
  readonly dialect: SqlDialect;
  /** Runs `work` in one transaction that sees and excludes other writers; rolls back when it throws. */
  transaction<Result>(work: (queries: TransactionQueries) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}
