/** One server, spoken to over its REST API: addresses, headers, sign-in, errors. Knows no resource. */
import { SheafError } from '@sheaf/wire';
import type { Authentication } from './authentication.ts';
import { failureOf } from './failure.ts';
import { encodeQuery, type Query } from './query.ts';
import { isReplayable, type Body, type Transport, type TransportResponse } from './transport.ts';

export interface RestClientOptions {
  /** As the user wrote it, e.g. `http://localhost:2900`; the API is below `<address>/rest`. */
  readonly address: string;
  readonly transport: Transport;
  /** Without it requests carry no token. */
  readonly authentication?: Authentication;
  readonly extraHeaders?: Readonly<Record<string, string>>;
  /** Milliseconds without a byte after which a request is given up; 300 000 unless told. */
  readonly idleTimeout?: number;
}

export interface RequestOptions {
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: Body;
  readonly contentType?: string;
  readonly idleTimeout?: number;
  readonly signal?: AbortSignal;
}

export class RestClient {
  readonly address: string;
  readonly #options: RestClientOptions;

  constructor(options: RestClientOptions) {
    this.address = options.address;
    this.#options = options;
  }

  /**
   * Sends one request below `/rest` and answers the response with its body unread.
   * A token that the server no longer takes is renewed once, and the request repeated, if its body allows it.
   * @param path begins with a slash and is already percent-encoded.
   * @throws SheafError for an error status, ConnectionError where no answer comes.
   */
  stream(method: string, path: string, options: RequestOptions = {}): Promise<TransportResponse> {
    return this.#request(method, path, options, false);
  }

  /** Like {@link stream}, with the whole answer as text. */
  async text(method: string, path: string, options: RequestOptions = {}): Promise<string> {
    return (await this.#request(method, path, options, true)).text();
  }

  /** Like {@link stream}, with the answer parsed as JSON; undefined where the answer is empty. */
  async json<Answer>(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const text = await this.text(method, path, options);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }

  /**
   * Opens something that is no request, such as a WebSocket, at an address below `/rest` and with the headers of a request. Where
   * that fails because the token is no longer taken, it is renewed once.
   */
  async upgrade<Opened>(
    path: string,
    open: (url: string, headers: Readonly<Record<string, string>>) => Promise<Opened>,
  ): Promise<Opened> {
    const { authentication } = this.#options;
    const url = `${this.address}/rest${path}`;
    const token = await authentication?.token();
    try {
      return await open(url, this.#headers(token));
    } catch (error) {
      if (!(error instanceof SheafError) || error.status !== 401 || token === undefined) throw error;
      const renewed = await authentication?.renew(token);
      if (renewed === undefined) throw error;
      return await open(url, this.#headers(renewed));
    }
  }

  #headers(token: string | undefined): Record<string, string> {
    return {
      'x-requested-with': 'XMLHttpRequest',
      ...this.#options.extraHeaders,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
  }

  async #request(
    method: string,
    path: string,
    options: RequestOptions,
    whole: boolean,
  ): Promise<TransportResponse> {
    const { authentication } = this.#options;
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const token = await authentication?.token();
    const send = (bearer: string | undefined) =>
      this.#send(method, path, options, { body, whole, token: bearer });
    let response = await send(token);
    if (response.status === 401 && token !== undefined && isReplayable(body)) {
      const renewed = await authentication?.renew(token);
      if (renewed !== undefined) {
        response.cancel();
        response = await send(renewed);
      }
    }
    if (response.status >= 400) {
      const text = await response.text();
      response.cancel();
      throw failureOf(response.status, response.headers, text);
    }
    return response;
  }

  #send(
    method: string,
    path: string,
    options: RequestOptions,
    { body, whole, token }: { body: Body | undefined; whole: boolean; token: string | undefined },
  ): Promise<TransportResponse> {
    const headers = { ...this.#headers(token), ...options.headers };
    if (options.json !== undefined) headers['content-type'] = 'application/json; charset=utf-8';
    else if (options.contentType !== undefined) headers['content-type'] = options.contentType;
    return this.#options.transport.send({
      method,
      url: `${this.address}/rest${path}${encodeQuery(options.query ?? {})}`,
      headers,
      whole,
      idleTimeout: options.idleTimeout ?? this.#options.idleTimeout ?? 300_000,
      ...(body === undefined ? {} : { body }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }
}
