/*
 * A worker that speaks, byte for byte, as original ones do (execution.md §2, §6.7): one connection a request, JSON labelled with a
 * charset, uploads in 16 KiB chunks with the whole URL on the request line, small binary bodies labelled as forms.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { TestServer } from '../../testing/test-server.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface OriginalWorker {
  readonly id: string;
  /** `/rest/workers/<id>`, encoded as such workers do. */
  readonly base: string;
  /** The messages of one check-in, null included. */
  checkin(more?: Record<string, unknown>): Promise<(Record<string, unknown> | null)[]>;
  start(uuid: string): Promise<boolean>;
  upload(uuid: string, archive: Buffer, options?: { strayNul?: boolean }): Promise<RawAnswer>;
  reply(socketId: number, value: unknown): Promise<RawAnswer>;
  /** A small gzipped body. */
  replySmall(socketId: number, content: string): Promise<RawAnswer>;
  /** A chunked gzipped body. */
  replyStream(socketId: number, content: Buffer): Promise<RawAnswer>;
  get(path: string): Promise<RawAnswer>;
  /** Posts JSON below `base`. */
  post(path: string, value: unknown): Promise<RawAnswer>;
  /** A chunked body, with the whole URL on the request line. */
  chunked(
    method: string,
    path: string,
    content: Buffer,
    options?: { strayNul?: boolean },
  ): Promise<RawAnswer>;
  /** Any request with one body; `headers` come before the usual ones, each ending in a line break. */
  simple(
    method: string,
    path: string,
    headers: string,
    body?: Buffer,
    options?: { anonymous?: boolean; encoding?: string },
  ): Promise<RawAnswer>;
}

const chunkSize = 16 * 1024;

export async function originalWorker(
  server: TestServer,
  { id = 'node7(4242)', owner = 'root' } = {},
): Promise<OriginalWorker> {
  const token = await server.tokenFor(owner);
  const host = new URL(server.url).host;
  const base = `/rest/workers/${encodeURIComponent(id).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )}`;
  const anybody = `Host: ${host}\r\nX-Requested-With: XMLHttpRequest\r\nUser-Agent: Python-urllib/3.9\r\n`;
  const common = `Authorization: Bearer ${token}\r\n${anybody}`;

  const simple = async (
    method: string,
    path: string,
    headers: string,
    body = Buffer.alloc(0),
    { anonymous = false, encoding = 'Accept-Encoding: identity\r\n' } = {},
  ) => {
    const socket = await dial(server.url);
    socket.write(
      `${method} ${path} HTTP/1.1\r\n${encoding}${headers}${anonymous ? anybody : common}Connection: close\r\n\r\n`,
    );
    socket.write(body);
    return await readAnswer(socket);
  };
  const postJson = (path: string, value: unknown) => {
    const body = Buffer.from(JSON.stringify(value));
    const headers = `Content-Length: ${body.length}\r\nContent-Type: application/json; charset=utf-8\r\n`;
    return simple('POST', `${base}/${path}`, headers, body);
  };
  const chunked = async (method: string, path: string, content: Buffer, { strayNul = false } = {}) => {
    const socket = await dial(server.url);
    socket.write(`${method} http://${host}${path} HTTP/1.1\r\n${common}Transfer-Encoding: chunked\r\n\r\n`);
    for (let at = 0; at < content.length; at += chunkSize) {
      const chunk = content.subarray(at, at + chunkSize);
      socket.write(`${chunk.length.toString(16).toUpperCase()}\r\n`);
      socket.write(chunk);
      socket.write('\r\n');
    }
    socket.write('0\r\n\r\n');
    if (strayNul) socket.write('\0');
    return await readAnswer(socket);
  };
  const dataPath = (socketId: number) => `${base}/reply_data/${socketId}?header_message=%7B%7D`;

  return {
    id,
    base,
    checkin: async (more = {}) => {
      const answer = await postJson('checkin', {
        tag: null,
        group_name: null,
        cpus: 4,
        gpus: 0,
        memory_bytes: 16 * 1024 ** 3,
        free_disk_bytes: 100 * 1024 ** 3,
        dependencies: [],
        hostname: 'node7',
        runs: [],
        shared_file_system: false,
        tag_exclusive: false,
        exit_after_num_runs: 999999999,
        is_terminating: false,
        preemptible: false,
        ...more,
      });
      if (answer.status !== 200 || answer.headers['content-type'] !== 'application/json') {
        throw new Error(
          `check-in: ${answer.status} ${answer.headers['content-type']} ${answer.body.toString()}`,
        );
      }
      return JSON.parse(answer.body.toString()) as (Record<string, unknown> | null)[];
    },
    start: async (uuid) => {
      const answer = await postJson(`start_bundle/${uuid}`, { hostname: 'node7', start_time: 1_700_000_000 });
      if (answer.status !== 200)
        throw new Error(`start_bundle: ${answer.status}, the worker sleeps for an hour`);
      return JSON.parse(answer.body.toString()) === true;
    },
    upload: (uuid, archive, { strayNul = false } = {}) =>
      chunked(
        'PUT',
        `/rest/bundles/${uuid}/contents/blob/?filename=bundle.tar.gz&finalize_on_success=0&store=`,
        archive,
        { strayNul },
      ),
    reply: (socketId, value) => postJson(`reply/${socketId}`, value),
    replySmall: (socketId, content) => {
      const body = gzipSync(content);
      const headers = `Content-Length: ${body.length}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
      return simple('POST', dataPath(socketId), headers, body);
    },
    replyStream: (socketId, content) => chunked('POST', dataPath(socketId), gzipSync(content)),
    get: (path) => simple('GET', path, ''),
    post: postJson,
    chunked,
    simple,
  };
}

async function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  return socket;
}

/** Reads one answer; interim ones are passed over, as Python's client does with 100. */
async function readAnswer(socket: Socket): Promise<RawAnswer> {
  const pieces: Buffer[] = [];
  for await (const piece of socket as AsyncIterable<Buffer>) {
    pieces.push(piece);
    const answer = parseAnswer(Buffer.concat(pieces), false);
    if (answer !== undefined) {
      socket.destroy();
      return answer;
    }
  }
  const answer = parseAnswer(Buffer.concat(pieces), true);
  if (answer === undefined)
    throw new Error(`No whole answer: ${Buffer.concat(pieces).toString().slice(0, 500)}`);
  return answer;
}

function parseAnswer(bytes: Buffer, ended: boolean): RawAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [statusLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  const rest = bytes.subarray(end + 4);
  if (status === 100) return parseAnswer(rest, ended);
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  const length = headers['content-length'];
  if (length !== undefined) {
    return rest.length >= Number(length)
      ? { status, headers, body: rest.subarray(0, Number(length)) }
      : undefined;
  }
  if (headers['transfer-encoding'] === 'chunked') {
    const body = unchunk(rest);
    return body === undefined ? undefined : { status, headers, body };
  }
  return ended ? { status, headers, body: rest } : undefined;
}

/** Undefined until the last chunk is there. */
function unchunk(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = bytes.indexOf('\r\n', at);
    if (line === -1) return undefined;
    const length = Number.parseInt(bytes.subarray(at, line).toString(), 16);
    if (length === 0) return Buffer.concat(parts);
    const start = line + 2;
    if (bytes.length < start + length + 2) return undefined;
    parts.push(bytes.subarray(start, start + length));
    at = start + length + 2;
  }
}
