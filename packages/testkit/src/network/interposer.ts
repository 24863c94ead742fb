/**
 * A line between a program and its server that fails as it is told: the program is given the line's address instead of the server's.
 * What it passes on is counted, so that a test can say what travelled.
 */
import {
  createServer,
  request as sendOn,
  type ClientRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Transform } from 'node:stream';

export interface LineRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
}

/** What becomes of a request. */
export type Fate =
  | 'pass'
  /** Answered with a status in the name of the server, which hears nothing. */
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  /** Taken and never answered, nor passed on. */
  | 'hang'
  /** The connection breaks at once. */
  | 'break'
  /** This many bytes of its body are passed on, then nothing more in either direction. */
  | { readonly stallAfter: number }
  /** Passed on; its answer is lost, and the connection breaks. */
  | 'lose the answer'
  /** Taken whole, and passed on again as soon as the server has answered; the second answer is the one that arrives. */
  | 'twice';

export interface Passed extends LineRequest {
  /** Bytes of its body so far. */
  bytes: number;
}

export class Interposer {
  /** Decides about each new request. */
  fate: (request: LineRequest) => Fate = () => 'pass';
  /** Everything that was passed on, wholly or in part. */
  readonly passed: Passed[] = [];
  /** Requests that hang or have stalled now. */
  stuck = 0;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #address: string;
  #server: Server;
  #port = 0;

  private constructor(target: string, address: string) {
    this.#target = new URL(target);
    this.#address = address;
    this.#server = this.#create();
  }

  /**
   * @param target address of the server, as `http://host:port`
   * @param address where to listen; another than that of this machine lets other hosts in
   */
  static async open(target: string, address = '127.0.0.1'): Promise<Interposer> {
    const line = new Interposer(target, address);
    await line.#listen();
    return line;
  }

  get url(): string {
    return `http://${this.#address}:${this.#port}`;
  }

  /** Bytes of the bodies that were passed on to paths like this. */
  bytesTo(path: RegExp): number {
    return this.passed.filter((one) => path.test(one.path)).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** All connections break, and new ones are refused until `comeBack`. */
  async goAway(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.breakAll();
    await closed;
  }

  async comeBack(): Promise<void> {
    this.#server = this.#create();
    await this.#listen();
  }

  /** Breaks all connections that are open now, stuck or not. */
  breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.goAway();
  }

  #create(): Server {
    const server = createServer((incoming, response) => this.#take(incoming, response));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    });
    return server;
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, this.#address, () => {
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  #take(incoming: IncomingMessage, response: ServerResponse): void {
    incoming.on('error', () => undefined);
    response.on('error', () => undefined);
    const request = { method: incoming.method ?? 'GET', path: incoming.url ?? '/' };
    const fate = this.fate(request);
    if (fate === 'break') incoming.socket.destroy();
    else if (fate === 'hang') this.#stick(response);
    else if (fate === 'twice') this.#passTwice(incoming, response, request);
    else if (typeof fate === 'object' && 'status' in fate) refuse(incoming, response, fate);
    else this.#pass(incoming, response, request, fate);
  }

  #passTwice(incoming: IncomingMessage, response: ServerResponse, request: LineRequest): void {
    const body: Buffer[] = [];
    const give = (answered: (answer: IncomingMessage) => void): void => {
      this.passed.push({ ...request, bytes: body.reduce((sum, { length }) => sum + length, 0) });
      const outgoing = this.#outgoing(incoming, request);
      outgoing.on('error', () => incoming.socket.destroy());
      response.once('close', () => outgoing.destroy());
      outgoing.on('response', answered).end(Buffer.concat(body));
    };
    incoming
      .on('data', (chunk: Buffer) => body.push(chunk))
      .on('end', () =>
        give((first) => {
          first.on('error', () => incoming.socket.destroy());
          first.on('end', () => give((second) => answer(incoming, response, second))).resume();
        }),
      );
  }

  #outgoing(incoming: IncomingMessage, request: LineRequest): ClientRequest {
    return sendOn(new URL(request.path, this.#target), {
      method: request.method,
      headers: { ...incoming.headers, host: this.#target.host },
      agent: false,
    });
  }

  #pass(
    incoming: IncomingMessage,
    response: ServerResponse,
    request: LineRequest,
    fate: 'pass' | 'lose the answer' | { readonly stallAfter: number },
  ): void {
    const passed: Passed = { ...request, bytes: 0 };
    this.passed.push(passed);
    const outgoing = this.#outgoing(incoming, request);
    outgoing.on('error', () => incoming.socket.destroy());
    response.once('close', () => outgoing.destroy());
    outgoing.on('response', (answered) => {
      if (fate === 'lose the answer') incoming.socket.destroy();
      else answer(incoming, response, answered);
    });
    incoming.pipe(this.#counter(passed, response, fate)).pipe(outgoing);
  }

  #counter(passed: Passed, response: ServerResponse, fate: Fate): Transform {
    const limit = typeof fate === 'object' && 'stallAfter' in fate ? fate.stallAfter : Infinity;
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const part = chunk.subarray(0, limit - passed.bytes);
        passed.bytes += part.length;
        if (part.length === chunk.length) return done(null, chunk);
        // Never called back: nothing more is taken.
        this.#stick(response);
        return undefined;
      },
    });
  }

  #stick(response: ServerResponse): void {
    this.stuck += 1;
    response.once('close', () => {
      this.stuck -= 1;
    });
  }
}

function answer(incoming: IncomingMessage, response: ServerResponse, answered: IncomingMessage): void {
  response.writeHead(answered.statusCode ?? 502, answered.headers);
  answered.on('error', () => incoming.socket.destroy()).pipe(response);
}

function refuse(
  incoming: IncomingMessage,
  response: ServerResponse,
  fate: { status: number; body?: string; headers?: Readonly<Record<string, string>> },
): void {
  incoming.resume().on('end', () => {
    response.writeHead(fate.status, { 'content-type': 'text/plain', ...fate.headers }).end(fate.body ?? 'no');
  });
}
