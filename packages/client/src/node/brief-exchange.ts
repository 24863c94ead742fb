/**
 * A small request and its small answer on a connection of their own, over plain TCP. What node:http does beyond that takes a
 * short-lived program longer than the whole question; the connection is closed by the server when it has answered, so there
 * is nothing to keep, and an answer is complete or it is not.
 */
import type { ConnectionError } from '../connection-error.ts';
import { isWhole, type TransportRequest, type TransportResponse } from '../transport.ts';
import { abortReason, connectionFailure } from './connection-failure.ts';

/** Whether a request can go this way: unencrypted, with a body in memory, and an answer that is wanted as a whole. */
export function isBrief(request: TransportRequest): boolean {
  const { url, body, whole } = request;
  return whole === true && url.startsWith('http://') && (body === undefined || isWhole(body));
}

/** @throws ConnectionError, or the reason of the signal. */
export async function briefExchange(request: TransportRequest): Promise<TransportResponse> {
  const bytes = await converse(request);
  const { status, headers, body } = readAnswer(bytes, request.url);
  return {
    status,
    headers,
    body: (async function* () {
      yield body;
    })(),
    text: () => Promise.resolve(body.toString()),
    cancel() {
      // The connection is closed already.
    },
  };
}

/** Sends the request and answers every byte until the server closes. */
function converse(request: TransportRequest): Promise<Buffer> {
  const { url, signal, idleTimeout } = request;
  const { hostname, port } = new URL(url);
  // Brackets around an IPv6 address belong to the URL only.
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(abortReason(signal));
    const socket = process
      .getBuiltinModule('node:net')
      .connect({ host, port: port === '' ? 80 : Number(port) });
    const abort = () => socket.destroy(abortReason(signal));
    const chunks: Buffer[] = [];
    socket
      .on('data', (chunk) => chunks.push(chunk))
      .on('end', () => resolve(Buffer.concat(chunks)))
      .on('error', (cause) =>
        reject(signal?.aborted === true ? abortReason(signal) : connectionFailure(cause, url)),
      )
      .on('close', () => signal?.removeEventListener('abort', abort));
    if (idleTimeout > 0) {
      socket.setTimeout(idleTimeout, () =>
        socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
      );
    }
    signal?.addEventListener('abort', abort, { once: true });
    // Not ended: to proxies, the end of what a client sends looks as if it had left.
    socket.write(requestBytes(request));
  });
}

function requestBytes({ method, url, headers, body }: TransportRequest): Buffer {
  const { host, pathname, search } = new URL(url);
  const content = body === undefined ? undefined : Buffer.from(body as string | Uint8Array);
  const all: Record<string, string> = { host, ...headers, connection: 'close' };
  if (content !== undefined) all['content-length'] = String(content.byteLength);
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, ' ')}\r\n`);
  const head = Buffer.from(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return content === undefined ? head : Buffer.concat([head, content]);
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

function readAnswer(bytes: Buffer, url: string): Answer {
  const end = bytes.indexOf('\r\n\r\n');
  const head = bytes.subarray(0, end).toString('latin1');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
  if (end < 0 || Number.isNaN(status)) throw broken(url, bytes.byteLength === 0 ? 'ECONNRESET' : undefined);
  const rest = bytes.subarray(end + 4);
  // An interim answer announces the real one.
  if (status < 200) return readAnswer(rest, url);
  const headers = headersOf(head);
  const body = headers['transfer-encoding'] === 'chunked' ? dechunked(rest) : rest;
  const expected = headers['content-length'];
  if (body === undefined || (expected !== undefined && body.byteLength !== Number(expected))) {
    throw broken(url, 'ECONNRESET');
  }
  return { status, headers, body };
}

function headersOf(head: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

/** The body without the marks of its chunks; undefined where it was cut short. */
function dechunked(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (lineEnd < 0 || Number.isNaN(size)) return undefined;
    if (size === 0) return Buffer.concat(parts);
    const start = lineEnd + 2;
    if (start + size + 2 > bytes.byteLength) return undefined;
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}

function broken(url: string, code: string | undefined): ConnectionError {
  const message = code === undefined ? 'the answer is no HTTP' : 'the connection broke';
  return connectionFailure(Object.assign(new Error(message), { code }), url);
}
