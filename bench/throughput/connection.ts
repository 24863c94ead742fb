/* One keep-alive connection that speaks as much HTTP/1.1 as a measurement needs, so that the client's own processor time stays small. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

const headEnd = Buffer.from('\r\n\r\n');

/** Requests of one connection are answered one after the other, in their order. */
export class Connection {
  readonly #host: string;
  readonly #port: number;
  readonly #head: string;
  readonly #waiting: Waiting[] = [];
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);

  constructor(url: string, token: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#head = `host: ${hostname}:${port}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`;
  }

  /** @throws Error when the connection breaks */
  post(path: string, body: unknown): Promise<Answer> {
    const text = JSON.stringify(body);
    const request = `POST /rest${path} HTTP/1.1\r\n${this.#head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#open().write(request);
    });
  }

  /** Returns when the connection stands. */
  async ready(): Promise<void> {
    const socket = this.#open();
    if (socket.readyState !== 'open') await once(socket, 'connect');
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#socket = undefined;
      for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error('The connection was closed.'));
    });
    this.#socket = socket;
    return socket;
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      const end = this.#received.indexOf(headEnd);
      if (end < 0) return;
      const head = this.#received.toString('latin1', 0, end);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const total = end + headEnd.length + length;
      if (this.#received.length < total) return;
      const body = this.#received.toString('utf8', end + headEnd.length, total);
      this.#received = this.#received.subarray(total);
      this.#waiting.shift()?.resolve({ status: Number(head.slice(9, 12)), body });
    }
  }
}
