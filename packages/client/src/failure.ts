/** Turns an answer with an error status into an error with a meaning (rest-api.md §3). */
import { errorCodeHeader, errorNextHeader, isErrorCode, SheafError, type ErrorCode } from '@sheaf/wire';

/** What a status means where the server does not say more, as servers of other make do not. */
const codeByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid-request',
  401: 'not-authenticated',
  403: 'permission-denied',
  404: 'not-found',
  405: 'method-not-allowed',
  409: 'conflict',
  413: 'too-large',
  504: 'worker-unreachable',
  507: 'storage-full',
};

/**
 * @param body the text of the answer: the bare message, as the header `x-requested-with` asks for.
 */
export function failureOf(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): SheafError {
  const named = headers[errorCodeHeader];
  const code =
    named !== undefined && isErrorCode(named)
      ? named
      : (codeByStatus[status] ?? (status >= 500 ? 'internal' : 'invalid-request'));
  const message = body.trim() === '' ? `The server answered with status ${status}.` : body.trimEnd();
  const next = headers[errorNextHeader];
  return new SheafError(code, message, next === undefined ? {} : { next });
}
