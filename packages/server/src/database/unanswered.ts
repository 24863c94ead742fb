/*
 * Writes whose answer nobody needs. On PostgreSQL they are sent, and what comes next is sent behind them: of what a unit of work takes,
 * waiting for answers is the largest part (docs/decisions/0817).
 */
import type { CompiledQuery, RawBuilder } from 'kysely';
import type { UnitOfWork } from './unit-of-work.ts';

const unanswered = new WeakSet<CompiledQuery>();

/**
 * Executes a write before everything that the unit of work does after it.
 * @throws what spoils it; on PostgreSQL the next statement, the end of the attempt or the commit throws that instead
 */
export async function write(unit: UnitOfWork, statement: RawBuilder<unknown>): Promise<void> {
  const query = statement.compile(unit.queries);
  unanswered.add(query);
  await unit.queries.executeQuery(query);
}

export function isUnanswered(query: CompiledQuery): boolean {
  return unanswered.has(query);
}
