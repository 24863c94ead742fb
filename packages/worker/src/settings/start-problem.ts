/** Turns what keeps a worker from starting into a sentence or two that say what to do. */
import { ConnectionError } from '@sheaf/client';
import { SheafError } from '@sheaf/wire';
import { messageOf } from '../errors.ts';
import { StartProblem } from './settings.ts';

/** What Node calls it when somebody answers in plain text where an encrypted answer was expected. */
const answeredInPlainText = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'EPROTO',
]);
const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)/;

/** @param server the address that was given */
export function startProblemOf(error: unknown, server: string): Error {
  if (error instanceof StartProblem) return error;
  if (error instanceof ConnectionError) return new StartProblem(noAnswer(error, server), { cause: error });
  if (error instanceof SheafError) return new StartProblem(refusal(error, server), { cause: error });
  return error instanceof Error ? error : new Error(String(error));
}

/** What answers speaks HTTP, but it is not what a server says. */
export function notAServer(server: string, cause?: unknown): StartProblem {
  return new StartProblem(`${server} does not answer as a Sheaf or CodaLab server: check --server.`, {
    cause,
  });
}

function noAnswer(error: ConnectionError, server: string): string {
  const reason = error.reason ?? '';
  if (answeredInPlainText.has(reason) && server.startsWith('https:')) {
    return `${server} does not speak HTTPS: try --server ${server.replace('https:', 'http:')}.`;
  }
  if (untrusted.test(reason)) {
    return `The certificate of ${server} is not trusted (${messageOf(error.cause)}): check --server, or name the authority's certificate in NODE_EXTRA_CA_CERTS.`;
  }
  // A port that expects HTTPS hangs up on everything else.
  if (reason === 'ECONNRESET' && server.startsWith('http:')) {
    return `${messageOf(error)} If the server speaks HTTPS, use --server ${server.replace('http:', 'https:')}; else look whether it is running.`;
  }
  return `${messageOf(error)} Is the server running, and is --server right?`;
}

function refusal(error: SheafError, server: string): string {
  if (error.code === 'not-authenticated') {
    return `${server} does not accept this user name and password: check the password file, or CODALAB_USERNAME and CODALAB_PASSWORD.`;
  }
  if (error.code === 'not-found' || error.code === 'method-not-allowed') return notAServer(server).message;
  if (/plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server/i.test(error.message)) {
    return `${server} speaks HTTPS: use --server ${server.replace('http:', 'https:')}.`;
  }
  if (/<(?:!doctype|html)/i.test(error.message)) return notAServer(server).message;
  return error.message;
}
