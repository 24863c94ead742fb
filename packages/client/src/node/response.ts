/** One answer as Node delivers it. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { TransportRequest, TransportResponse } from '../transport.ts';
import { abortReason, connectionFailure } from './connection-failure.ts';

export class NodeResponse implements TransportResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #message: IncomingMessage;
  readonly #request: ClientRequest;
  readonly #options: TransportRequest;
  readonly #done: () => void;

  /** @param done called when the exchange is over, however it ended. */
  constructor(message: IncomingMessage, request: ClientRequest, options: TransportRequest, done: () => void) {
    this.status = message.statusCode ?? 0;
    this.headers = headersOf(message);
    this.#message = message;
    this.#request = request;
    this.#options = options;
    this.#done = done;
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#read();
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#decoded();
    } catch (cause) {
      throw this.#failure(cause);
    } finally {
      this.#end();
    }
  }

  #decoded(): AsyncIterable<Uint8Array> {
    if (this.headers['content-encoding'] !== 'gzip') return this.#message;
    const gunzip = process.getBuiltinModule('node:zlib').createGunzip();
    this.#message.on('error', (error) => gunzip.destroy(error));
    return this.#message.pipe(gunzip);
  }

  async text(): Promise<string> {
    if (this.headers['content-encoding'] === undefined) return this.#plainText();
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.body) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  /** With plain events: iterating a stream costs a short-lived program a millisecond. */
  #plainText(): Promise<string> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      this.#message
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          this.#end();
          resolve(Buffer.concat(chunks).toString());
        })
        .on('error', (cause) => {
          this.#end();
          reject(this.#failure(cause));
        });
    });
  }

  cancel(): void {
    if (!this.#message.complete) this.#request.destroy();
    this.#end();
    this.#message.resume();
  }

  #end(): void {
    this.#done();
    // An answer that came before the end of the request leaves the connection in the middle of it.
    if (!this.#request.writableEnded) this.#request.destroy();
  }

  #failure(cause: unknown): Error {
    const { signal, url } = this.#options;
    return signal?.aborted === true ? abortReason(signal) : connectionFailure(cause, url);
  }
}

function headersOf(message: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}
