/** Turns what keeps a worker from starting into one sentence that says what to do. */
import { ConnectionError } from '@sheaf/client';
import { SheafError } from '@sheaf/wire';
import { messageOf } from '../errors.ts';
import { StartProblem } from './settings.ts';

export function startProblemOf(error: unknown, server: string): Error {
  if (error instanceof StartProblem) return error;
  if (error instanceof ConnectionError) {
    return new StartProblem(`${messageOf(error)} Is the server running, and is --server right?`, {
      cause: error,
    });
  }
  if (error instanceof SheafError) return new StartProblem(refusal(error, server), { cause: error });
  return error instanceof Error ? error : new Error(String(error));
}

function refusal(error: SheafError, server: string): string {
  if (error.code === 'not-authenticated') {
    return `${server} does not accept this user name and password: check the password file, or CODALAB_USERNAME and CODALAB_PASSWORD.`;
  }
  if (error.code === 'not-found') {
    return `${server} does not answer as a Sheaf or CodaLab server: check --server.`;
  }
  return error.message;
}
