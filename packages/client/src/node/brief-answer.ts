/** An HTTP/1.1 answer in memory: whether it is all there, and what it says. */

export interface BriefAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the body begins. */
  readonly end: number;
}

/** Gathers the pieces of an answer until it is all there. */
export class AnswerPieces {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #head: Head | undefined;

  /**
   * @returns whether nothing more is to come. An answer whose length is not said is complete only when the connection closes.
   */
  add(piece: Buffer): boolean {
    this.#pieces.push(piece);
    this.#bytes += piece.byteLength;
    this.#head ??= readHead(this.#pieces.length === 1 ? piece : this.all());
    if (this.#head === undefined) return false;
    const { status, headers, end } = this.#head;
    if (status === 204 || status === 304) return true;
    const length = headers['content-length'];
    if (length !== undefined) return this.#bytes >= end + Number(length);
    // The last chunk is empty; the same bytes inside another chunk are told apart by reading it.
    const mayEnd = headers['transfer-encoding'] === 'chunked' && this.#endsWith('0\r\n\r\n');
    return mayEnd && readAnswer(this.all()) !== undefined;
  }

  all(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  #endsWith(text: string): boolean {
    const end = Buffer.concat(this.#pieces.slice(-text.length)).subarray(-text.length);
    return end.toString('latin1') === text;
  }
}

/** The answer, or undefined where it was cut short or is no HTTP. */
export function readAnswer(bytes: Buffer): BriefAnswer | undefined {
  const head = readHead(bytes);
  if (head === undefined) return undefined;
  const { status, headers, end } = head;
  const rest = bytes.subarray(end);
  const body = headers['transfer-encoding'] === 'chunked' ? dechunked(rest) : rest;
  const length = headers['content-length'];
  if (body === undefined || (length !== undefined && body.byteLength !== Number(length))) return undefined;
  return { status, headers, body };
}

/** The head of the final answer; interim ones before it are passed over. */
function readHead(bytes: Buffer, from = 0): Head | undefined {
  const end = bytes.indexOf('\r\n\r\n', from);
  const text = end < 0 ? '' : bytes.subarray(from, end).toString('latin1');
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  if (status === undefined) return undefined;
  if (status.startsWith('1')) return readHead(bytes, end + 4);
  return { status: Number(status), headers: headersOf(text), end: end + 4 };
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
    const size =
      lineEnd < 0 ? Number.NaN : Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (Number.isNaN(size)) return undefined;
    if (size === 0) return Buffer.concat(parts);
    const start = lineEnd + 2;
    if (start + size + 2 > bytes.byteLength) return undefined;
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
