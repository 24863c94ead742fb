/** One request and its answer on one connection. */
import type { ClientRequest } from 'node:http';
import type { ConnectionError } from '../connection-error.ts';
import { isSized, isWhole, type TransportRequest, type TransportResponse } from '../transport.ts';
import { abortReason, connectionFailure } from './connection-failure.ts';
import { NodeResponse } from './response.ts';

/** The server had closed a kept connection before the request reached it. */
export class StaleConnection extends Error {
  readonly failure: ConnectionError;
  constructor(failure: ConnectionError) {
    super(failure.message);
    this.failure = failure;
  }
}

/** @throws StaleConnection, ConnectionError, or the reason of the signal. */
export function exchange(request: ClientRequest, options: TransportRequest): Promise<TransportResponse> {
  return new Promise((resolve, reject) => {
    const { signal, idleTimeout, url } = options;
    let answered = false;
    const abort = () => request.destroy(abortReason(signal));
    const done = () => signal?.removeEventListener('abort', abort);
    request.on('error', (cause) => {
      done();
      if (signal?.aborted === true) return reject(abortReason(signal));
      const failure = connectionFailure(cause, url);
      const stale = request.reusedSocket && !answered && failure.reason === 'ECONNRESET';
      reject(stale ? new StaleConnection(failure) : failure);
    });
    request.on('response', (message) => {
      answered = true;
      resolve(new NodeResponse(message, request, options, done));
    });
    if (idleTimeout > 0) {
      request.setTimeout(idleTimeout, () =>
        request.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
      );
    }
    if (signal?.aborted === true) return abort();
    signal?.addEventListener('abort', abort, { once: true });
    sendBody(request, options.body, () => answered).catch((error: unknown) =>
      request.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
}

/** Writes the body with back-pressure; an answer that comes before its end stops it. */
async function sendBody(
  request: ClientRequest,
  body: TransportRequest['body'],
  answered: () => boolean,
): Promise<void> {
  if (body === undefined) {
    request.end();
    return;
  }
  if (isWhole(body)) {
    // Node sends it by itself only with methods that are expected to have a body; DELETE is not among them.
    request.setHeader('content-length', Buffer.byteLength(body));
    request.end(body);
    return;
  }
  if (isSized(body)) request.setHeader('content-length', body.length);
  for await (const chunk of isSized(body) ? body.open() : body) {
    if (request.destroyed || answered()) return;
    if (!request.write(chunk)) await drained(request);
  }
  request.end();
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off('drain', done).off('close', done).off('response', done);
      resolve();
    };
    request.once('drain', done).once('close', done).once('response', done);
    if (request.destroyed) done();
  });
}
