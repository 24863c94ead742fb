/* Network services inside running runs, reached through their worker (rest-api.md §21, execution.md §8.2, §8.3). */
import {
  request as requestHttp,
  STATUS_CODES,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { Duplex, type Readable } from 'node:stream';
import { isFinal } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import { requireBundle } from '../bundles/access.ts';
import { bundleState } from '../bundles/row.ts';
import { holderOfRun } from '../contents/holder.ts';
import type { Viewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import type { Mailboxes } from '../workers/mailboxes.ts';
import { ask, bytesOf, RunGoneError, WorkerRefusedError, type Holder } from '../workers/questions.ts';

export interface NetcatContext {
  readonly services: Services;
  readonly mailboxes: Mailboxes;
  readonly viewer: Viewer;
  readonly signal: AbortSignal;
}

/** Sends text to a port of a running run. Answers what came back; undefined for nothing. */
export async function netcat(
  context: NetcatContext,
  uuid: string,
  port: number,
  message: string,
): Promise<Readable | undefined> {
  const bundle = await requireBundle(context.services.database.queries, context.viewer, uuid, 'read');
  if (bundle.state !== 'running') {
    throw new SheafError('permission-denied', 'Cannot netcat bundle, bundle not running.', {
      next: 'Wait until it is running.',
    });
  }
  return await exchange(context, await requireHolder(context, uuid), port, Buffer.from(message));
}

/** The worker that has the run. @throws SheafError `worker-unreachable` */
async function requireHolder({ services }: NetcatContext, uuid: string): Promise<Holder> {
  const holder = await holderOfRun(services.database.queries, uuid);
  if (holder === undefined) throw new SheafError('worker-unreachable', `No worker has bundle ${uuid}.`);
  return holder;
}

async function exchange(
  { services, mailboxes, signal }: NetcatContext,
  holder: Holder,
  port: number,
  bytes: Buffer,
): Promise<Readable | undefined> {
  try {
    return bytesOf(await ask({ services, mailboxes }, holder, { kind: 'netcat', port, bytes }, signal));
  } catch (error) {
    if (!(error instanceof RunGoneError || error instanceof WorkerRefusedError)) throw error;
    throw new SheafError('worker-unreachable', error.message, {
      next: 'Look at what the run says: `cl cat <run>/stderr`.',
      cause: error,
    });
  }
}

export interface CurlRequest {
  readonly method: string;
  /** With the query string; begins with a slash. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface CurlAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: IncomingMessage;
}

/** Sends an HTTP request to a port of a run, and answers the program's answer. */
export async function netcurl(
  context: NetcatContext,
  uuid: string,
  port: number,
  request: CurlRequest,
): Promise<CurlAnswer> {
  const bundle = await requireBundle(context.services.database.queries, context.viewer, uuid, 'read');
  if (isFinal(bundleState(bundle))) {
    throw new SheafError('already-final', 'Cannot netcurl bundle, bundle already finalized.');
  }
  const holder = await requireHolder(context, uuid);
  const answer = await sendThrough(
    request,
    (bytes) => exchange(context, holder, port, bytes),
    context.signal,
  );
  const { statusCode = 502 } = answer;
  return {
    status: STATUS_CODES[statusCode] === undefined ? 502 : statusCode,
    headers: passedOn(answer.headers, answerOnly),
    body: answer,
  };
}

/** Node's own HTTP client writes the request and reads the answer; the "connection" is one exchange of messages. */
function sendThrough(
  { method, target, headers, body }: CurlRequest,
  send: (bytes: Buffer) => Promise<Readable | undefined>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const connection = new MessageConnection();
    const request = requestHttp({
      method,
      path: target,
      signal,
      headers: { ...passedOn(headers, requestOnly), connection: 'close', ...lengthOf(method, body) },
      createConnection: () => connection,
    });
    request.once('response', resolve);
    request.once('error', (error) => {
      reject(
        error instanceof SheafError
          ? error
          : new SheafError('worker-unreachable', `The program gave no proper answer: ${error.message}`, {
              cause: error,
            }),
      );
    });
    request.once('finish', () => {
      send(connection.written()).then(
        (answer) => connection.answer(answer),
        (error: unknown) => connection.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    });
    request.end(body);
  });
}

function lengthOf(method: string, body: Buffer): Record<string, string> {
  const bodiless = body.length === 0 && ['GET', 'HEAD', 'DELETE'].includes(method);
  return bodiless ? {} : { 'content-length': String(body.length) };
}

/** Credentials are for this server, not for a user's program; the others belong to one connection only. */
const requestOnly = new Set(['authorization', 'cookie', 'content-length', 'expect', 'x-requested-with']);
const answerOnly = new Set(['set-cookie', 'set-cookie2', 'content-security-policy', 'clear-site-data']);
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function passedOn(
  headers: IncomingHttpHeaders,
  left: ReadonlySet<string>,
): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !hopByHop.has(name) && !left.has(name)) kept[name] = value;
  }
  return kept;
}

/** Gathers what is written, and lets what came back be read. */
class MessageConnection extends Duplex {
  readonly #written: Buffer[] = [];
  #answer: Readable | undefined;

  written(): Buffer {
    return Buffer.concat(this.#written);
  }

  answer(stream: Readable | undefined): void {
    if (stream === undefined) {
      this.push(null);
      return;
    }
    this.#answer = stream;
    if (this.destroyed) {
      // Whoever asked has left at the very moment.
      stream.destroy();
      return;
    }
    stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stream.pause();
    });
    stream.once('end', () => this.push(null));
    stream.once('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#answer?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#written.push(chunk);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#answer?.destroy();
    done(error);
  }
}
