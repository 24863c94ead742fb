/** Looking at processes that may end meanwhile. */
import { isErrno } from '../files/errno.ts';

/** Undefined: there is no such process any more, or it is somebody else's. */
export async function ignoringGone<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EACCES')) {
      return undefined;
    }
    throw error;
  }
}
