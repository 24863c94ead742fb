/**
 * Requests over node:http and node:https with connections kept open. Not `fetch`: importing it alone costs more than most
 * commands of `cl` take.
 */
import type * as Http from 'node:http';
import { ConnectionError } from '../connection-error.ts';
import {
  isReplayable,
  isSized,
  isWhole,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '../transport.ts';
import { proxyFor, type ProxySettings } from './proxy.ts';

/** Loaded with the first request only: commands that make none must not pay for it. */
const loadHttp = (secure: boolean): Pick<typeof Http, 'Agent' | 'request'> =>
  secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');

/** Requests that may be sent again when an idle connection turns out to be closed. */
const repeatable = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);

export interface NodeTransportOptions {
  /** From the environment: `http_proxy`, `https_proxy`, `no_proxy`. None unless given. */
  readonly proxy?: ProxySettings;
  /** Connections to one server at a time; no limit unless given. */
  readonly connections?: number;
}

export interface NodeTransport extends Transport {
  /** Closes idle connections, so that the process can end. */
  close(): void;
}

export function nodeTransport(options: NodeTransportOptions = {}): NodeTransport {
  const agents = new Map<string, Http.Agent>();
  const agentFor = (secure: boolean): Http.Agent => {
    const known = agents.get(String(secure));
    if (known !== undefined) return known;
    const { Agent } = loadHttp(secure);
    const agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? Infinity });
    agents.set(String(secure), agent);
    return agent;
  };
  return {
    async send(request) {
      const secure = request.url.startsWith('https:');
      if (!secure && !request.url.startsWith('http:')) {
        throw new ConnectionError(
          `"${request.url.replace(/\/rest\/.*$/, '')}" is not an address of a server.`,
        );
      }
      const proxy = options.proxy === undefined ? undefined : await proxyFor(request.url, options.proxy);
      const { request: open } = loadHttp(secure);
      const start = () =>
        proxy === undefined
          ? open(request.url, { method: request.method, headers: request.headers, agent: agentFor(secure) })
          : open({
              ...proxy.options,
              method: request.method,
              headers: { ...request.headers, ...proxy.headers },
            });
      try {
        return await exchange(start(), request);
      } catch (error) {
        if (!(error instanceof StaleConnection)) throw error;
        if (!repeatable.has(request.method) || !isReplayable(request.body)) throw error.failure;
        return exchange(start(), request);
      }
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

/** The server had closed a kept connection before the request reached it. */
class StaleConnection extends Error {
  readonly failure: ConnectionError;
  constructor(failure: ConnectionError) {
    super(failure.message);
    this.failure = failure;
  }
}

function exchange(request: Http.ClientRequest, options: TransportRequest): Promise<TransportResponse> {
  return new Promise((resolve, reject) => {
    let answered = false;
    const abort = () => request.destroy(abortReason(options.signal));
    const fail = (cause: Error) => {
      options.signal?.removeEventListener('abort', abort);
      if (options.signal?.aborted === true) reject(abortReason(options.signal));
      else {
        const failure = translate(cause, options.url);
        const stale = request.reusedSocket && !answered && failure.reason === 'ECONNRESET';
        reject(stale ? new StaleConnection(failure) : failure);
      }
    };
    request.on('error', fail);
    request.on('response', (message) => {
      answered = true;
      resolve(responseOf(message, request, options, abort));
    });
    if (options.idleTimeout > 0) {
      request.setTimeout(options.idleTimeout, () =>
        request.destroy(
          Object.assign(new Error(`no answer for ${Math.round(options.idleTimeout / 1000)} s`), {
            code: 'ETIMEDOUT',
          }),
        ),
      );
    }
    if (options.signal?.aborted === true) return abort();
    options.signal?.addEventListener('abort', abort, { once: true });
    sendBody(request, options.body, () => answered).catch((error: unknown) =>
      request.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
}

/** Writes the body with back-pressure; an answer that comes before its end stops it. */
async function sendBody(
  request: Http.ClientRequest,
  body: TransportRequest['body'],
  answered: () => boolean,
): Promise<void> {
  if (body === undefined || isWhole(body)) {
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

function drained(request: Http.ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off('drain', done).off('close', done).off('response', done);
      resolve();
    };
    request.once('drain', done).once('close', done).once('response', done);
    if (request.destroyed) done();
  });
}

function responseOf(
  message: Http.IncomingMessage,
  request: Http.ClientRequest,
  options: TransportRequest,
  abort: () => void,
): TransportResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      if (headers['content-encoding'] === 'gzip') {
        const { createGunzip } = process.getBuiltinModule('node:zlib');
        const gunzip = createGunzip();
        message.on('error', (error) => gunzip.destroy(error));
        yield* message.pipe(gunzip) as AsyncIterable<Uint8Array>;
      } else yield* message as AsyncIterable<Uint8Array>;
    } catch (cause) {
      if (options.signal?.aborted === true) throw abortReason(options.signal);
      throw translate(cause instanceof Error ? cause : new Error(String(cause)), options.url);
    } finally {
      options.signal?.removeEventListener('abort', abort);
      // An answer that came before the end of the request leaves the connection in the middle of it.
      if (!request.writableEnded) request.destroy();
    }
  }
  return {
    status: message.statusCode ?? 0,
    headers,
    body: body(),
    cancel() {
      options.signal?.removeEventListener('abort', abort);
      if (!message.complete || !request.writableEnded) request.destroy();
      else message.resume();
    },
  };
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted');
}

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

function translate(cause: Error & { code?: unknown }, url: string): ConnectionError {
  if (cause instanceof ConnectionError) return cause;
  const reason = typeof cause.code === 'string' ? cause.code : undefined;
  const address = url.replace(/\/rest\/.*$/, '');
  const explanation = (reason === undefined ? undefined : explanations[reason]) ?? cause.message;
  return new ConnectionError(`Cannot reach ${address}: ${explanation}.`, { cause, reason });
}
