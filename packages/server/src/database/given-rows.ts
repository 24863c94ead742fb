/*
 * Rows that a statement is given as one parameter. Its text is the same for any number of them, so that it is compiled once: a
 * statement that names each value costs more to put together than to execute.
 */
import { sql, type RawBuilder } from 'kysely';
import type { SqlDialect } from './database.ts';
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

/** Inserts rows in their order, with one statement. */
export async function insertRows<Name extends keyof Tables, Row extends object>(
  unit: UnitOfWork,
  table: Name,
  columns: Columns<Row> & {
    readonly [Column in keyof Row]: Column extends keyof Tables[Name] ? ColumnType : never;
  },
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = sql.join(Object.keys(columns).map((name) => sql.ref(name)));
  await sql`insert into ${sql.table(table)} (${names})
    select ${names} from ${givenRows(unit.dialect, columns, rows)} as given`.execute(unit.queries);
}

/** A table with one column `given`: texts to look for, or to change the rows of. */
export function givenTexts(dialect: SqlDialect, texts: Iterable<string>): RawBuilder<{ given: string }> {
  return givenRows(
    dialect,
    { given: 'text' },
    [...texts].map((given) => ({ given })),
  );
}
