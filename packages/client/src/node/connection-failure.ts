/** What the system says about broken connections, in words. */
import { ConnectionError } from '../connection-error.ts';

const explanations: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'no answer came in time',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no network',
};

export function connectionFailure(cause: unknown, url: string): ConnectionError {
  if (cause instanceof ConnectionError) return cause;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  const reason = typeof code === 'string' ? code : undefined;
  const explanation = (reason === undefined ? undefined : explanations[reason]) ?? String(message ?? cause);
  return new ConnectionError(`Cannot reach ${url.replace(/\/rest\/.*$/, '')}: ${explanation}.`, {
    cause,
    reason,
  });
}

/** Why the caller has given up, as it said itself. */
export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted');
}
