/*
 * Rows that a statement is given as one parameter. Its text is the same for any number of them, so that it is compiled once: a
 * statement that names each value costs more to put together than to execute.
 */
import { sql, type RawBuilder } from 'kysely';
import type { SqlDialect } from './database.ts';
import { RowCell } from './row-cell.ts';
import { write } from './unanswered.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import type { Tables } from './schema.ts';

export type ColumnType = 'text' | 'integer' | 'real' | 'json';

/** Types by name of the column. Names are the program's own, never somebody's input. */
export type Columns<Row> = { readonly [Name in keyof Row & string]: ColumnType };

/**
 * A table of the given rows, in their order, to be used after `from` or `join` with a name of its own.
 * @param columns JSON columns take values; all others texts, numbers or null
 */
export function givenRows<Row extends object>(
  dialect: SqlDialect,
  columns: Columns<Row>,
  rows: readonly Row[],
): RawBuilder<Row> {
  const names = Object.keys(columns) as (keyof Row & string)[];
  const values = JSON.stringify(rows.map((row) => names.map((name) => row[name])));
  return dialect.jsonRows(
    names.map((name) => [name, columns[name]]),
    values,
  ) as RawBuilder<Row>;
}

/** Inserts rows in their order. */
export async function insertRows<Name extends keyof Tables, Row extends object>(
  unit: UnitOfWork,
  table: Name,
  columns: Columns<Row> & {
    readonly [Column in keyof Row]: Column extends keyof Tables[Name] ? ColumnType : never;
  },
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const into = sql`insert into ${sql.table(table)} (${sql.join(Object.keys(columns).map((name) => sql.ref(name)))})`;
  const names = Object.keys(columns) as (keyof Row & string)[];
  const statement = unit.dialect.rowByRow
    ? sql`${into} values (${sql.join(names.map(cellsOf(columns, rows)))})`
    : sql`${into} select ${sql.join(names.map((name) => sql.ref(name)))}
        from ${givenRows(unit.dialect, columns, rows)} as given`;
  await write(unit, statement);
}

/** Names one value of the given rows in a statement. */
export type GivenValue<Row> = (name: keyof Row & string) => RawBuilder<unknown>;

export interface RowChanges<Row> {
  /** What of the row that is changed equals what of the given one, each once. */
  readonly key: { readonly column: string; readonly given: keyof Row & string };
  readonly set: (given: GivenValue<Row>) => RawBuilder<unknown>;
  /** What else must hold. */
  readonly where: (given: GivenValue<Row>) => RawBuilder<unknown>;
  readonly returning: RawBuilder<unknown>;
}

/**
 * Changes a row of a table for each of the given rows, and answers those that were changed. All of them are locked in the order of
 * their ids before the first is changed.
 */
export async function changeRows<Row extends object, Answer>(
  unit: UnitOfWork,
  table: keyof Tables,
  columns: Columns<Row>,
  rows: readonly Row[],
  { key, set, where, returning }: RowChanges<Row>,
): Promise<Answer[]> {
  if (rows.length === 0) return [];
  const update = sql`update ${sql.table(table)} set`;
  const keyColumn = sql.ref(`${table}.${key.column}`);
  if (unit.dialect.rowByRow) {
    const cell = cellsOf(columns, rows);
    return (
      await sql<Answer>`${update} ${set(cell)} where ${keyColumn} = ${cell(key.given)} and ${where(cell)}
        returning ${returning}`.execute(unit.queries)
    ).rows;
  }
  const given: GivenValue<Row> = (name) => sql.ref(`given.${name}`);
  return (
    await sql<Answer>`${update} ${set(given)}
      from (select given.*, target.id as target_id from ${givenRows(unit.dialect, columns, rows)} as given
        join ${sql.table(table)} as target on ${sql.ref(`target.${key.column}`)} = ${given(key.given)}
        order by target.id ${unit.dialect.rowLock}) as given
      where ${sql.ref(`${table}.id`)} = given.target_id and ${where(given)} returning ${returning}`.execute(
      unit.queries,
    )
  ).rows;
}

function cellsOf<Row extends object>(columns: Columns<Row>, rows: readonly Row[]): GivenValue<Row> {
  return (name) => sql`${new RowCell(rows, name, columns[name] === 'json')}`;
}

/** A table with one column `given`: texts to look for, or to change the rows of. */
export function givenTexts(dialect: SqlDialect, texts: Iterable<string>): RawBuilder<{ given: string }> {
  return givenRows(
    dialect,
    { given: 'text' },
    [...texts].map((given) => ({ given })),
  );
}
