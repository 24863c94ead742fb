/** Errors as users see them: `<Class>: <message>`, then what to do (cli.md §2.6). */
import { ConnectionError } from '@sheaf/client';
import { InvalidJsonFileError } from '@sheaf/client/node';
import { SheafError } from '@sheaf/wire';
import { readFileSync } from 'node:fs';
import { UsageError } from './usage-error.ts';

export interface Failure {
  /** What went wrong, without its class and the next step. */
  readonly message: string;
  /** All of it, ending in a newline. */
  readonly text: string;
  readonly exitCode: number;
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof SheafError)
    return failure(className(error.status), error.message, error.next, error.exitCode);
  if (error instanceof UsageError) return failure('UsageError', error.message, error.next);
  if (error instanceof ConnectionError)
    return failure('ConnectionError', error.message, nextForConnection(error));
  if (error instanceof InvalidJsonFileError) {
    const text = `Invalid JSON in ${error.path}:\n${readFileSync(error.path, 'utf8')}\n`;
    return { message: error.message, text, exitCode: 1 };
  }
  if (error instanceof Error) {
    const { code, path } = error as NodeJS.ErrnoException;
    const name = typeof code === 'string' && typeof path === 'string' ? 'FileError' : error.name;
    return failure(name, error.message, undefined);
  }
  return failure('Error', String(error), undefined);
}

function failure(name: string, message: string, next: string | undefined, exitCode = 1): Failure {
  return { message, text: `${name}: ${message}\n${next === undefined ? '' : `${next}\n`}`, exitCode };
}

function className(status: number): string {
  switch (status) {
    case 401:
      return 'AuthorizationError';
    case 403:
      return 'PermissionError';
    case 404:
      return 'NotFoundError';
    default:
      return status >= 500 ? 'ServerError' : 'UsageError';
  }
}

function nextForConnection(error: ConnectionError): string {
  const local = /\/\/(127\.|localhost\b|\[::1\])/.test(error.message);
  return local && error.reason === 'ECONNREFUSED'
    ? 'Start a server with `npm start`, or go to another one with `cl work <address>::`.'
    : 'Look at the address with `cl status`; go to another server with `cl work <address>::`.';
}
