/**
 * A small request and its small answer on a connection of their own, over plain TCP. What node:http does beyond that takes a
 * short-lived program longer than the whole question.
 */
import { isWhole, type TransportRequest, type TransportResponse } from '../transport.ts';
import { AnswerPieces, readAnswer, type BriefAnswer } from './brief-answer.ts';
import { abortReason, connectionFailure } from './connection-failure.ts';

/** Whether a request can go this way: unencrypted, with a body in memory, and an answer that is wanted as a whole. */
export function isBrief(request: TransportRequest): boolean {
  const { url, body, whole } = request;
  return whole === true && url.startsWith('http://') && (body === undefined || isWhole(body));
}

/** @throws ConnectionError, or the reason of the signal. */
export async function briefExchange(request: TransportRequest): Promise<TransportResponse> {
  const { status, headers, body } = answerIn(await converse(request), request.url);
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

function answerIn(bytes: Buffer, url: string): BriefAnswer {
  const answer = readAnswer(bytes);
  if (answer !== undefined) return answer;
  const isHttp = bytes.byteLength === 0 || bytes.subarray(0, 5).toString('latin1') === 'HTTP/';
  const cause = isHttp
    ? Object.assign(new Error('the answer was cut short'), { code: 'ECONNRESET' })
    : new Error('the answer is no HTTP');
  throw connectionFailure(cause, url);
}

/** Sends the request and answers every byte of the answer; the server may close after it or not. */
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
    const pieces = new AnswerPieces();
    socket
      .on('data', (piece) => {
        if (!pieces.add(piece)) return;
        resolve(pieces.all());
        socket.destroy();
      })
      .on('end', () => resolve(pieces.all()))
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
  if (content !== undefined || method !== 'GET') all['content-length'] = String(content?.byteLength ?? 0);
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, ' ')}\r\n`);
  const head = Buffer.from(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return content === undefined ? head : Buffer.concat([head, content]);
}
