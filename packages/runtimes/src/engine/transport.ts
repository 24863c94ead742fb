/** HTTP to an engine: kept-alive connections over a socket, JSON in, a response stream out. */
import { Agent, request, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Readable, type Duplex } from 'node:stream';
import { z } from 'zod';
import { formatEngineAddress, type EngineAddress } from './address.ts';
import { EngineError, EngineUnreachableError } from './errors.ts';

export interface EngineCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** JSON value, or a stream of bytes. */
  readonly body?: unknown;
}

export interface EngineTransport {
  /**
   * Answers once the headers are there.
   * @throws EngineError for a status of 400 and above
   * @throws EngineUnreachableError
   */
  send(call: EngineCall): Promise<IncomingMessage>;
  /**
   * Sends a request after which the connection carries bytes in both directions, on a connection of its own.
   * @throws EngineError for a refusal
   * @throws EngineUnreachableError
   */
  hijack(call: EngineCall): Promise<Duplex>;
  close(): void;
}

export function createEngineTransport(address: EngineAddress): EngineTransport {
  const agent = new Agent({ keepAlive: true, scheduling: 'lifo' });
  const where: RequestOptions =
    address.kind === 'socket' ? { socketPath: address.path } : { host: address.host, port: address.port };

  async function send(call: EngineCall): Promise<IncomingMessage> {
    const response = await exchange({ ...where, agent }, call, formatEngineAddress(address));
    const status = response.statusCode ?? 0;
    if (status >= 400) {
      throw new EngineError(status, refusal(status, await text(response)));
    }
    return response;
  }

  function hijack(call: EngineCall): Promise<Duplex> {
    return takeOver({ ...where, agent: false }, call, formatEngineAddress(address));
  }

  return { send, hijack, close: () => agent.destroy() };
}

function takeOver(where: RequestOptions, call: EngineCall, place: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const headers = { ...call.headers, connection: 'Upgrade', upgrade: 'tcp' };
    const { outgoing, json } = outgoingCall(where, { ...call, headers });
    outgoing.on('upgrade', (_response, socket, head) => {
      if (head.length > 0) {
        socket.unshift(head);
      }
      resolve(socket);
    });
    outgoing.on('response', (response) => {
      const status = response.statusCode ?? 0;
      text(response).then((body) => reject(new EngineError(status, refusal(status, body))), reject);
    });
    outgoing.on('error', (error: Error) => reject(unreachable(place, error)));
    outgoing.end(json);
  });
}

function unreachable(place: string, error: Error): EngineUnreachableError {
  return new EngineUnreachableError(`The container engine at ${place} does not answer: ${error.message}`, {
    cause: error,
  });
}

function outgoingCall(
  where: RequestOptions,
  call: EngineCall,
): { outgoing: ClientRequest; json: string | undefined; streamed: Readable | undefined } {
  const streamed = call.body instanceof Readable ? call.body : undefined;
  const json = call.body === undefined || streamed ? undefined : JSON.stringify(call.body);
  const outgoing = request({
    ...where,
    method: call.method,
    path: `${call.path}${queryText(call.query)}`,
    headers: {
      host: 'engine',
      ...(json === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) }),
      ...call.headers,
    },
    ...(call.signal ? { signal: call.signal } : {}),
  });
  return { outgoing, json, streamed };
}

function exchange(where: RequestOptions, call: EngineCall, place: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { outgoing, json, streamed } = outgoingCall(where, call);
    outgoing.on('response', resolve);
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (call.signal?.aborted) {
        reject(call.signal.reason as Error);
      } else if (call.method === 'GET' && outgoing.reusedSocket && error.code === 'ECONNRESET') {
        // The engine closed the idle connection in the moment we chose it: ask once more on another.
        resolve(exchange(where, call, place));
      } else {
        reject(unreachable(place, error));
      }
    });
    if (streamed) {
      pipeline(streamed, outgoing).catch((error: Error) => outgoing.destroy(error));
    } else {
      outgoing.end(json);
    }
  });
}

function queryText(query: EngineCall['query']): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) {
      pairs.set(name, String(value));
    }
  }
  return pairs.size === 0 ? '' : `?${pairs.toString()}`;
}

const Refusal = z.union([z.object({ message: z.string() }), z.object({ cause: z.string() })]);

function refusal(status: number, body: string): string {
  try {
    const answer = Refusal.parse(JSON.parse(body));
    return 'message' in answer ? answer.message : answer.cause;
  } catch {
    return body.trim() || `the engine answered with status ${status}`;
  }
}
