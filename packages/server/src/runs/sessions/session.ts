/* One session: the client's connection, then the worker's, and the frames between them. */
import {
  SheafError,
  sessionStart,
  sessionWindow,
  type SessionControl,
  type SessionRequest,
} from '@sheaf/wire';
import { WebSocket, type RawData } from 'ws';
import type { Services } from '../../services.ts';
import { withdrawMessage } from '../../workers/message-queue.ts';
import type { Admitted } from './admit.ts';
import { callPatience, callWorker } from './call-worker.ts';

/** Milliseconds until the client must have said what it wants. */
const startPatience = 10_000;
/** Milliseconds until a connection that was ended counts as broken. */
const goodbye = 500;
/** Bytes that may wait for one end; whoever keeps to its window never has so many on their way. */
const mostWaiting = 2 * sessionWindow;
/** Bytes that a frame takes up besides its own, also an empty one. */
const frameCost = 256;

interface Frame {
  readonly data: RawData;
  readonly isBinary: boolean;
}

export class Session {
  readonly runUuid: string;
  readonly userId: string;
  readonly #services: Services;
  readonly #admitted: Admitted;
  readonly #client: WebSocket;
  readonly #over: () => void;
  /** What the client sent before the worker was there. */
  readonly #early: Frame[] = [];
  #earlyBytes = 0;
  #begun = false;
  #called: { socketId: number; messageId: number } | undefined;
  #worker: WebSocket | undefined;
  #ended = false;
  #silent = new WeakSet<WebSocket>();
  #cancelPatience: () => void;

  /** @param over called once, when nothing is left of it */
  constructor(services: Services, admitted: Admitted, client: WebSocket, over: () => void) {
    this.#services = services;
    this.#admitted = admitted;
    this.#client = client;
    this.#over = over;
    this.runUuid = admitted.holder.runUuid;
    this.userId = admitted.user.id;
    this.#cancelPatience = services.clock.after(startPatience, () =>
      this.fail(new SheafError('invalid-request', 'No command was named in time.')),
    );
    client.on('message', (data, isBinary) => this.#fromClient({ data, isBinary }));
    this.#watch(client);
  }

  /** Whether this is the socket that its worker is expected at. */
  awaits(socketId: number): boolean {
    return !this.#ended && this.#worker === undefined && this.#called?.socketId === socketId;
  }

  /** The worker is there. */
  join(worker: WebSocket): void {
    if (this.#ended || this.#worker !== undefined) return worker.close(1000);
    this.#cancelPatience();
    this.#worker = worker;
    this.#watch(worker);
    worker.on('message', (data, isBinary) => this.#pass(this.#client, { data, isBinary }));
    for (const frame of this.#early.splice(0)) this.#pass(worker, frame);
  }

  /** Ends it, with words for the client. */
  fail(error: SheafError): void {
    if (this.#ended) return;
    const { code, message, next } = error;
    const words: SessionControl = { type: 'failed', code, message, ...(next === undefined ? {} : { next }) };
    if (this.#client.readyState === WebSocket.OPEN) this.#client.send(JSON.stringify(words));
    this.#end();
  }

  /** Ends it for good in a moment: whoever does not say good-bye by then is cut off. */
  stop(error: SheafError): void {
    this.fail(error);
    for (const socket of [this.#client, this.#worker]) {
      if (socket !== undefined) this.#services.clock.after(goodbye, () => socket.terminate());
    }
  }

  /** Looks whether both ends are still there: each must have answered since the last time. */
  ping(): void {
    for (const socket of [this.#client, this.#worker]) {
      if (socket === undefined) continue;
      if (this.#silent.has(socket)) socket.terminate();
      this.#silent.add(socket);
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    }
  }

  #watch(socket: WebSocket): void {
    socket.on('pong', () => this.#silent.delete(socket));
    // Told by `close`, which follows.
    socket.on('error', () => socket.terminate());
    socket.once('close', (code) => this.#gone(socket, code));
  }

  #gone(socket: WebSocket, code: number): void {
    if (socket === this.#client) return this.#end();
    // The worker has said everything; the client closes when it has taken it all, however long that takes.
    if (code === 1000) return;
    this.fail(
      new SheafError('worker-unreachable', 'The connection to the worker broke, and the session with it.'),
    );
  }

  #fromClient(frame: Frame): void {
    if (!this.#begun) return this.#start(frame);
    if (this.#worker !== undefined) return this.#pass(this.#worker, frame);
    this.#earlyBytes += sizeOf(frame.data) + frameCost;
    if (this.#earlyBytes > mostWaiting) return this.#overrun();
    this.#early.push(frame);
  }

  #start({ data, isBinary }: Frame): void {
    const request = isBinary ? undefined : requestIn(textOf(data));
    if (request === undefined) {
      return this.fail(
        new SheafError('invalid-request', 'The first frame of a session must say what to start.'),
      );
    }
    this.#begun = true;
    this.#cancelPatience();
    this.#call(request).catch((error: unknown) => {
      if (!(error instanceof SheafError)) this.#services.log.error({ err: error }, 'a session failed');
      this.fail(
        error instanceof SheafError ? error : new SheafError('internal', 'Unexpected Internal Error.'),
      );
    });
  }

  async #call(request: SessionRequest): Promise<void> {
    const called = await callWorker(this.#services, this.#admitted, request);
    this.#called = called;
    if (this.#ended) return await this.#withdraw(called.messageId);
    this.#cancelPatience = this.#services.clock.after(callPatience, () => {
      const { workerId } = this.#admitted.holder;
      this.fail(new SheafError('worker-unreachable', `Unable to reach worker. ${workerId} did not answer.`));
    });
  }

  async #withdraw(messageId: number): Promise<void> {
    await this.#services.unitOfWork((unit) => withdrawMessage(unit, messageId));
  }

  #pass(to: WebSocket, { data, isBinary }: Frame): void {
    if (to.readyState !== WebSocket.OPEN) return;
    if (to.bufferedAmount > mostWaiting) return this.#overrun();
    to.send(data, { binary: isBinary });
  }

  /** One end sends more than the other has said it takes. */
  #overrun(): void {
    this.fail(new SheafError('too-large', 'More was sent at once than the other end takes.'));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelPatience();
    this.#early.length = 0;
    for (const socket of [this.#client, this.#worker]) {
      if (socket === undefined) continue;
      socket.close(1000);
    }
    if (this.#called !== undefined) {
      this.#withdraw(this.#called.messageId).catch((error: unknown) =>
        this.#services.log.warn({ err: error }, 'a message about a session could not be withdrawn'),
      );
    }
    this.#over();
  }
}

function requestIn(text: string): SessionRequest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const parsed = sessionStart.safeParse(value);
  if (!parsed.success) return undefined;
  const { type: _, ...request } = parsed.data;
  return request;
}

function textOf(data: RawData): string {
  return (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString('utf8');
}

function sizeOf(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, piece) => sum + piece.byteLength, 0) : data.byteLength;
}
