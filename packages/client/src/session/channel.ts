/** One end of a session: frames over a WebSocket, with no more bytes on their way than the other end has room for. */
import {
  readSessionControl,
  readSessionData,
  sessionData,
  sessionPiece,
  sessionWindow,
  type SessionControl,
  type SessionStart,
  type SessionStream,
} from '@sheaf/wire';
import type { WebSocket } from 'ws';

export interface SessionHandlers {
  /** Resolves when the bytes have been passed on; that many more may come then. Called in order, without waiting. */
  data(stream: SessionStream, bytes: Uint8Array): Promise<void>;
  control(control: SessionControl): void;
  /** The connection is over, one way or the other; called once. */
  closed(): void;
}

/** Milliseconds without a sign of life after which the connection counts as broken; the server gives one each 30 s. */
const patience = 90_000;

/** Milliseconds that the other end has to answer a good-bye. */
const goodbye = 2_000;

export class SessionChannel {
  readonly #socket: WebSocket;
  readonly #waiting: (() => void)[] = [];
  #credit = sessionWindow;
  #taken = 0;
  /** Bytes that have come and were not passed on yet. */
  #untaken = 0;
  #silent: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, handlers: SessionHandlers) {
    this.#socket = socket;
    socket.on('message', (frame: Buffer, isBinary: boolean) => {
      this.#heard();
      if (isBinary) this.#data(frame, handlers);
      else this.#control(frame.toString('utf8'), handlers);
    });
    socket.on('ping', () => this.#heard());
    // Told by `close`, which follows.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(this.#silent);
      for (const wake of this.#waiting.splice(0)) wake();
      handlers.closed();
    });
    this.#heard();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** Resolves when more may be sent; at once where nobody listens any more. */
  async send(stream: SessionStream, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength && this.isOpen;) {
      if (this.#credit <= 0) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      const piece = bytes.subarray(at, at + Math.min(sessionPiece, this.#credit));
      at += piece.byteLength;
      this.#credit -= piece.byteLength;
      this.#socket.send(sessionData(stream, piece), { binary: true });
    }
  }

  tell(control: SessionControl | SessionStart): void {
    if (this.isOpen) this.#socket.send(JSON.stringify(control));
  }

  /** Ends the session in order: everything that was sent still arrives. Resolves when the other end knows, or does not answer. */
  async close(): Promise<void> {
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    const closed = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, goodbye);
      this.#socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#socket.close(1000);
    await closed;
  }

  #data(frame: Uint8Array, handlers: SessionHandlers): void {
    const data = readSessionData(frame);
    if (data === undefined || data.bytes.byteLength === 0) return;
    this.#untaken += data.bytes.byteLength;
    // Whoever does not keep to the window must not fill this program's memory.
    if (this.#untaken > sessionWindow) return this.#socket.terminate();
    handlers.data(data.stream, data.bytes).then(
      () => this.#take(data.bytes.byteLength),
      () => this.#socket.terminate(),
    );
  }

  #control(text: string, handlers: SessionHandlers): void {
    const control = readSessionControl(text);
    if (control === undefined) return;
    if (control.type !== 'taken') return handlers.control(control);
    this.#credit += control.bytes;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Tells the other end now and then how much room there is again. */
  #take(bytes: number): void {
    this.#untaken -= bytes;
    this.#taken += bytes;
    if (this.#taken < sessionWindow / 4) return;
    this.tell({ type: 'taken', bytes: this.#taken });
    this.#taken = 0;
  }

  #heard(): void {
    clearTimeout(this.#silent);
    this.#silent = setTimeout(() => this.#socket.terminate(), patience).unref();
  }
}
