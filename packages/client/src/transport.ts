/** How requests leave the program: a small port, so that the client runs in a browser as well as under Node. */

export type Body = string | Uint8Array | SizedBody | AsyncIterable<Uint8Array>;

/** A stream of known length that can be opened again. */
export interface SizedBody {
  /** Bytes. */
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface TransportRequest {
  readonly method: string;
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body;
  /** Milliseconds without a single byte in either direction after which the request is given up; 0 waits for ever. */
  readonly idleTimeout: number;
  readonly signal?: AbortSignal;
  /** The answer is going to be read as a whole, not as a stream. */
  readonly whole?: boolean;
}

export interface TransportResponse {
  readonly status: number;
  /** Names in lower case; repeated headers are joined with commas. */
  readonly headers: Readonly<Record<string, string>>;
  /** Content encodings are undone. Iterating throws ConnectionError where the stream breaks off. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The whole body as UTF-8 text, instead of `body`. @throws ConnectionError where it breaks off. */
  text(): Promise<string>;
  /** Drops what has not been read. */
  cancel(): void;
}

export interface Transport {
  /** @throws ConnectionError where no answer comes. */
  send(request: TransportRequest): Promise<TransportResponse>;
}

/** Whether a body can be sent a second time. */
export function isReplayable(body: Body | undefined): boolean {
  return body === undefined || isWhole(body) || isSized(body);
}

/** A body that is in memory. */
export function isWhole(body: Body): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array;
}

export function isSized(body: Body): body is SizedBody {
  return !isWhole(body) && 'open' in body;
}
