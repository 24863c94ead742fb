/** A small server that speaks the worker protocol over real HTTP, with contents in memory; tests decide what it says. */
import {
  answerOffer,
  encodeTree,
  MemoryStore,
  packFromStore,
  receivePack,
  totalsOf,
  walkTree,
  type Entry,
  type NamedEntry,
} from '@sheaf/trees';
import type { RunMessage, RunReport, WorkerMessage } from '@sheaf/wire';
import { runReport } from '@sheaf/wire';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

export interface Reply {
  readonly kind: 'json' | 'data';
  readonly value: unknown;
  /** Bytes of a `data` reply as they came. */
  readonly bytes: Buffer;
}

interface Checkin {
  readonly is_terminating?: boolean;
  readonly runs: readonly unknown[];
  readonly dependencies?: readonly unknown[];
  readonly exit_after_num_runs?: number;
  readonly cpus?: number;
}

export class ProtocolServer {
  readonly store = new MemoryStore();
  /** Every report, in order of arrival. */
  readonly reports: RunReport[] = [];
  readonly checkins: Checkin[] = [];
  /** Requests as `POST checkin`, in order. */
  readonly requests: string[] = [];
  readonly replies = new Map<number, Reply>();
  readonly committed = new Map<string, Entry>();
  readonly contents = new Map<string, Entry>();
  /** Attempts that may be started; asked twice, granted twice. */
  readonly grants = new Map<string, number>();
  /** Runs to answer `kill` about, as the server does with each report. */
  readonly killed = new Map<string, string | undefined>();
  checkouts = 0;
  /** Whether finalizing reports are answered with `mark_finalized`. */
  finalizes = true;
  /** Answers a request instead of the server; a test that returns true has done so. */
  intercept: (
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ) => Promise<boolean> | boolean = () => false;
  #queue: WorkerMessage[] = [];
  #messages = 0;
  #wake: (() => void) | undefined;
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<ProtocolServer> {
    const server = new ProtocolServer();
    await server.listen();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens again on the same port after `goAway`. */
  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500);
        response.end(String(error));
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Breaks all connections and takes no new ones. */
  async goAway(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
  }

  /** Grants a run and tells the worker. */
  assign(message: RunMessage): void {
    this.grants.set(message.bundle.uuid, message.epoch ?? 1);
    this.send(message);
  }

  send(message: WorkerMessage): void {
    this.#messages += 1;
    this.#queue.push({ ...message, message_id: this.#messages });
    this.#wake?.();
  }

  get undelivered(): number {
    return this.#queue.length;
  }

  /** Keeps a file as the contents of a bundle. */
  async keepFile(bundle: string, text: string, executable = false): Promise<Entry> {
    const digest = await this.store.put(Buffer.from(text));
    const entry: Entry = { kind: 'file', digest, size: Buffer.byteLength(text), executable };
    this.contents.set(bundle, entry);
    return entry;
  }

  /** Keeps a directory of text files as the contents of a bundle. */
  async keepDirectory(bundle: string, files: Readonly<Record<string, string>>): Promise<Entry> {
    const entries: NamedEntry[] = [];
    for (const [name, text] of Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))) {
      entries.push({ name, entry: await this.keepFile(bundle, text) });
    }
    const digest = await this.store.put(encodeTree(entries));
    const entry: Entry = { kind: 'tree', digest, ...totalsOf(entries) };
    this.contents.set(bundle, entry);
    return entry;
  }

  /** Paths and texts of what a run has left; links as `-> target`. */
  async results(uuid: string): Promise<Record<string, string>> {
    const root = this.committed.get(uuid);
    const found: Record<string, string> = {};
    if (root === undefined) return found;
    for await (const { path, entry } of walkTree(this.store, root)) {
      if (entry.kind === 'file') found[path] = (await this.store.bytes(entry.digest)).toString();
      if (entry.kind === 'link') found[path] = `-> ${entry.target}`;
    }
    return found;
  }

  reportsOf(uuid: string): RunReport[] {
    return this.reports.filter((report) => report.uuid === uuid);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.url);
    const path = decodeURIComponent(url.pathname);
    this.requests.push(`${request.method} ${path}`);
    if (await this.intercept(path, request, response)) return;
    const worker = /^\/rest\/workers\/[^/]+\/(\w+)(?:\/(\S+))?$/.exec(path);
    if (worker !== null) return await this.#worker(worker[1] ?? '', worker[2] ?? '', request, response);
    const bundle = /^\/rest\/bundles\/([^/]+)\/(transfer|contents)\/(\w+)(?:\/(.*))?$/.exec(path);
    if (bundle !== null) {
      const [, uuid = '', , action = '', rest = ''] = bundle;
      return await this.#transfer(uuid, action, rest, url, request, response);
    }
    if (path === '/rest/oauth2/token') {
      return json(response, { access_token: 'token', token_type: 'Bearer', expires_in: 3600 });
    }
    response.writeHead(404).end('there is nothing here');
  }

  async #worker(
    action: string,
    rest: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const bytes = await buffer(request);
    switch (action) {
      case 'checkin': {
        const body = JSON.parse(bytes.toString()) as Checkin & { ack: number[]; hold?: number };
        this.checkins.push(body);
        const derived = this.#take(body);
        if (derived.length === 0) await this.#hold((body.hold ?? 0) * 1000, request);
        return json(response, [...derived, ...this.#queue]);
      }
      case 'report':
        return json(response, this.#take(JSON.parse(bytes.toString()) as { runs: unknown[]; ack: number[] }));
      case 'start_bundle':
        return json(
          response,
          this.grants.get(rest) === (JSON.parse(bytes.toString()) as { epoch: number }).epoch,
        );
      case 'reply':
        this.#keepReply(Number(rest), { kind: 'json', value: JSON.parse(bytes.toString()), bytes });
        return json(response, null);
      case 'reply_data':
        this.#keepReply(Number(rest), { kind: 'data', value: {}, bytes });
        return json(response, null);
      case 'checkout':
        this.checkouts += 1;
        return json(response, null);
      default:
        response.writeHead(404).end(`no such endpoint: ${action}`);
    }
  }

  #keepReply(socket: number, reply: Reply): void {
    if (this.replies.has(socket)) throw new Error(`socket ${socket} was answered twice`);
    this.replies.set(socket, reply);
  }

  /** Takes over reports and acknowledgements; answers what follows from them. */
  #take({ runs, ack }: { runs: readonly unknown[]; ack?: readonly number[] }): WorkerMessage[] {
    this.#queue = this.#queue.filter(({ message_id: id }) => id === undefined || ack?.includes(id) !== true);
    return runs.flatMap((raw): WorkerMessage[] => {
      const report = runReport.parse(raw);
      this.reports.push(report);
      const { uuid } = report;
      if (report.state === 'finalizing') return this.finalizes ? [{ type: 'mark_finalized', uuid }] : [];
      if (!this.killed.has(uuid)) return [];
      const message = this.killed.get(uuid);
      return [{ type: 'kill', uuid, ...(message === undefined ? {} : { kill_message: message }) }];
    });
  }

  #hold(milliseconds: number, request: IncomingMessage): Promise<void> {
    if (this.#queue.length > 0 || milliseconds === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        request.socket.off('close', finish);
        resolve();
      };
      const timer = setTimeout(finish, milliseconds);
      this.#wake = finish;
      request.socket.once('close', finish);
    });
  }

  async #transfer(
    uuid: string,
    action: string,
    rest: string,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { store } = this;
    switch (action) {
      case 'offer': {
        const { blobs } = JSON.parse((await buffer(request)).toString()) as { blobs: [string, number][] };
        return json(response, { need: await answerOffer(store, blobs, { scope: uuid }), known_sizes: [] });
      }
      case 'pack': {
        await receivePack(store, request);
        const root = url.searchParams.get('root');
        if (root !== null) this.committed.set(uuid, JSON.parse(root) as Entry);
        return json(response, { data_size: 0 });
      }
      case 'blobs': {
        if (request.method === 'PUT') {
          const offset = Number(url.searchParams.get('offset'));
          const size = offset + Number(request.headers['content-length'] ?? 0);
          await store.partial(rest, size, uuid).append(offset, request);
          return json(response, null);
        }
        const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(from > 0 ? 206 : 200);
        store.read(rest, { offset: from }).pipe(response);
        return;
      }
      case 'commit':
        this.committed.set(uuid, (JSON.parse((await buffer(request)).toString()) as { root: Entry }).root);
        return json(response, { data_size: 0 });
      case 'fetch': {
        const { digests } = JSON.parse((await buffer(request)).toString()) as { digests: string[] };
        response.writeHead(200);
        packFromStore(store, digests).pipe(response);
        return;
      }
      case 'entry': {
        const entry = this.contents.get(uuid);
        if (entry === undefined) {
          response.writeHead(404).end(`There is no bundle ${uuid}.`);
          return;
        }
        return json(response, { data: { entry, resolved_target: { bundle_uuid: uuid, subpath: rest } } });
      }
      default:
        response.writeHead(404).end(`no such endpoint: ${action}`);
    }
  }
}

/** The text of a reply, which is gzipped unless the file was followed. */
export function textOf(reply: Reply): string {
  const zipped = reply.bytes[0] === 0x1f && reply.bytes[1] === 0x8b;
  return (zipped ? gunzipSync(reply.bytes) : reply.bytes).toString();
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
