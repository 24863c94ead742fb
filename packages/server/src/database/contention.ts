/*
 * Two transactions can wait for each other's rows, such as two workers' reports that charge the same two users the other way round.
 * The database then breaks one of them off; begun again, it succeeds.
 */
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
