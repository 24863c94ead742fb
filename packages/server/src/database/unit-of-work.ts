import type { Events, ServerEvent } from '../events/events.ts';
import type { Database, SqlDialect, TransactionQueries } from './database.ts';

/** One transaction and what it will announce once it is committed. */
export interface UnitOfWork {
  readonly queries: TransactionQueries;
  readonly dialect: SqlDialect;
  /** Emitted after the commit; dropped when the work throws. */
  announce(event: ServerEvent): void;
}

export type RunUnitOfWork = <Result>(work: (unit: UnitOfWork) => Promise<Result>) => Promise<Result>;

export function unitsOfWork(database: Database, events: Events): RunUnitOfWork {
  return async (work) => {
    const announced: ServerEvent[] = [];
    const result = await database.transaction((queries) => {
      // A transaction may be begun again; what the first attempt announced never happened.
      announced.length = 0;
      return work({ queries, dialect: database.dialect, announce: (event) => announced.push(event) });
    });
    for (const event of announced) events.emit(event);
    return result;
  };
}
