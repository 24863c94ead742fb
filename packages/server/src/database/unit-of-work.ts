import type { Events, ServerEvent } from '../events/events.ts';
import type { Database, SqlDialect, TransactionQueries } from './database.ts';

/** One transaction and what it will announce once it is committed. */
export interface UnitOfWork {
  readonly queries: TransactionQueries;
  readonly dialect: SqlDialect;
  /** Emitted after the commit; dropped when the work throws. */
  announce(event: ServerEvent): void;
  /**
   * What people have used more, written when everything else is: an account is in many units of work at once, and nobody is to wait for
   * it for longer than a commit takes (accounts/charges.ts).
   */
  readonly charges: Charge[];
}

/** What somebody has used more: seconds of containers, and bytes (fewer, where negative). */
export interface Charge {
  readonly userId: string;
  readonly seconds: number;
  readonly bytes: number;
}

export type RunUnitOfWork = <Result>(work: (unit: UnitOfWork) => Promise<Result>) => Promise<Result>;

/** @param settle writes the charges */
export function unitsOfWork(
  database: Database,
  events: Events,
  settle: (unit: UnitOfWork) => Promise<void>,
): RunUnitOfWork {
  return async (work) => {
    const announced: ServerEvent[] = [];
    const result = await database.transaction(async (queries) => {
      // A transaction may be begun again; what the first attempt announced never happened.
      announced.length = 0;
      const unit: UnitOfWork = {
        queries,
        dialect: database.dialect,
        announce: (event) => announced.push(event),
        charges: [],
      };
      const done = await work(unit);
      await settle(unit);
      return done;
    });
    for (const event of announced) events.emit(event);
    return result;
  };
}
