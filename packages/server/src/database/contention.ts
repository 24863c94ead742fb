/*
 * Two transactions can wait for each other's rows, such as two workers' reports that charge the same two users the other way round.
 * The database then breaks one of them off; begun again, it succeeds.
 */
import { isOutOfRoom } from './no-room.ts';

const deadlock = '40P01';
const serializationFailure = '40001';
const mostAttempts = 8;

export function isContention(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === deadlock || error.code === serializationFailure)
  );
}

/** Whether nothing more can be done in the transaction: what went wrong is no affair of the part of it that noticed. */
export function endsTransaction(error: unknown): boolean {
  return isContention(error) || isOutOfRoom(error);
}

/** Begins again what was broken off; everything else is thrown as it is. */
export async function retryContention<Result>(transaction: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction();
    } catch (error) {
      if (!isContention(error) || attempt === mostAttempts) throw error;
    }
  }
}
