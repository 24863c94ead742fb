import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConnectionError } from '../connection-error.ts';
import { RestClient } from '../rest-client.ts';
import { sessionData, sessionPiece, sessionWindow, type SessionControl } from '@sheaf/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { nodeTransport } from '../node/transport.ts';
import { SessionChannel, type SessionHandlers } from './channel.ts';
import { sessionConnector } from './connect.ts';
import { openSession } from './open-session.ts';

/** An end that takes bytes when it is told to. */
class Taker implements SessionHandlers {
  bytes = 0;
  calls = 0;
  readonly controls: SessionControl[] = [];
  readonly over: Promise<void>;
  #holding: (() => void)[] | undefined;
  #closed: () => void = () => undefined;

  constructor(holds = false) {
    this.#holding = holds ? [] : undefined;
    this.over = new Promise((resolve) => {
      this.#closed = resolve;
    });
  }

  async data(_stream: string, bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.byteLength;
    this.calls += 1;
    const holding = this.#holding;
    if (holding !== undefined) await new Promise<void>((resolve) => holding.push(resolve));
  }

  control(control: SessionControl): void {
    this.controls.push(control);
  }

  closed(): void {
    this.#closed();
  }

  take(): void {
    const held = this.#holding ?? [];
    this.#holding = undefined;
    for (const release of held) release();
  }
}

let http: Server;
let sockets: WebSocketServer;
let url: string;
let asked: Record<string, unknown>[];
beforeEach(async () => {
  asked = [];
  http = createServer();
  sockets = new WebSocketServer({ noServer: true });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterEach(() => {
  for (const socket of sockets.clients) socket.terminate();
  http.close();
});

function accept(handlers: SessionHandlers): Promise<SessionChannel> {
  return new Promise((resolve) => {
    http.once('upgrade', (request, socket, head) => {
      asked.push(request.headers);
      sockets.handleUpgrade(request, socket, head, (accepted) =>
        resolve(new SessionChannel(accepted, handlers)),
      );
    });
  });
}

describe('a session', () => {
  const client = () =>
    new RestClient({ address: url, transport: nodeTransport(), extraHeaders: { 'x-own': 'y' } });

  it('carries bytes and messages both ways, with the headers of a request', async () => {
    const [near, far] = [new Taker(), new Taker()];
    const accepting = accept(far);
    const channel = await openSession(client(), '0x1', sessionConnector(near));
    const other = await accepting;
    await channel.send('stdin', Buffer.alloc(200_000));
    channel.tell({ type: 'end' });
    await other.send('stdout', Buffer.alloc(70_000));
    other.tell({ type: 'exit', code: 3 });
    await other.close();
    await near.over;

    expect([near.bytes, far.bytes]).toEqual([70_000, 200_000]);
    expect(near.controls).toEqual([{ type: 'exit', code: 3 }]);
    expect(far.controls).toEqual([{ type: 'end' }]);
    expect(asked[0]).toMatchObject({ 'x-own': 'y', 'x-requested-with': 'XMLHttpRequest' });
  });

  it('sends no more than the other end has room for, and messages all the same', async () => {
    const far = new Taker(true);
    const accepting = accept(far);
    const near = new Taker();
    const channel = await openSession(client(), '0x1', sessionConnector(near));
    await accepting;
    let sent = false;
    const sending = channel.send('stdin', Buffer.alloc(3 * sessionWindow)).then(() => (sent = true));
    while (far.bytes < sessionWindow) await new Promise(setImmediate);
    channel.tell({ type: 'resize', rows: 1, columns: 2 });
    while (far.controls.length === 0) await new Promise(setImmediate);

    expect([far.bytes, sent]).toEqual([sessionWindow, false]);
    far.take();
    await sending;
    while (far.bytes < 3 * sessionWindow) await new Promise(setImmediate);
  });

  it('ends when the other end sends more than there is room for', async () => {
    const accepting = accept(new Taker());
    const near = new Taker(true);
    await openSession(client(), '0x1', sessionConnector(near));
    await accepting;
    const [other] = sockets.clients;
    // Frames with nothing in them count for nothing.
    for (let at = 0; at < 1000; at += 1) other?.send(sessionData('stdout', new Uint8Array()));
    for (let at = 0; at < sessionWindow; at += sessionPiece) {
      other?.send(sessionData('stdout', Buffer.alloc(sessionPiece)));
    }
    while (near.bytes < sessionWindow) await new Promise(setImmediate);
    other?.send(sessionData('stdout', Buffer.alloc(1)));
    await near.over;

    expect([near.bytes, near.calls]).toEqual([sessionWindow, sessionWindow / sessionPiece]);
  });

  it('lets go of whoever waits to send when the other end leaves', async () => {
    const accepting = accept(new Taker(true));
    const near = new Taker();
    const channel = await openSession(client(), '0x1', sessionConnector(near));
    const sending = channel.send('stdin', Buffer.alloc(3 * sessionWindow));
    await accepting;
    for (const socket of sockets.clients) socket.terminate();

    await sending;
    await near.over;
    expect(channel.isOpen).toBe(false);
  });

  it('that is refused says why', async () => {
    http.once('upgrade', (_request, socket) =>
      socket.end(
        'HTTP/1.1 403 Forbidden\r\nX-Sheaf-Error: permission-denied\r\nX-Sheaf-Next: Ask.\r\nContent-Length: 4\r\n\r\nNo. ',
      ),
    );

    await expect(openSession(client(), '0x1', sessionConnector(new Taker()))).rejects.toMatchObject({
      code: 'permission-denied',
      message: 'No.',
      next: 'Ask.',
    });
  });

  it('with an old token is tried again with a new one', async () => {
    const tokens = ['old', 'new'];
    const authentication = {
      token: async () => tokens[0],
      renew: async () => tokens[1],
    };
    http.once('upgrade', (request, socket) => {
      asked.push(request.headers);
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
      void accept(new Taker());
    });
    const rest = new RestClient({ address: url, transport: nodeTransport(), authentication });
    await openSession(rest, '0x1', sessionConnector(new Taker()));

    expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer new']);
  });

  it('goes through the proxy that is configured', async () => {
    const far = new Taker();
    const accepting = accept(far);
    const proxy = createServer();
    const authorities: string[] = [];
    proxy.on('connect', (request, socket) => {
      authorities.push(request.url ?? '');
      const { connect } = process.getBuiltinModule('node:net');
      const onward = connect(Number(new URL(url).port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      socket.on('error', () => onward.destroy());
      onward.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    const settings = { http: `http://127.0.0.1:${port}` };
    const channel = await openSession(client(), '0x1', sessionConnector(new Taker(), { proxy: settings }));
    await accepting;
    channel.tell({ type: 'end' });
    while (far.controls.length === 0) await new Promise(setImmediate);
    await channel.close();
    proxy.close();

    expect(authorities).toEqual([new URL(url).host]);
  });

  it('with nobody there is a broken connection', async () => {
    const port = (http.address() as AddressInfo).port;
    http.close();
    await once(http, 'close');
    const rest = new RestClient({ address: `http://127.0.0.1:${port}`, transport: nodeTransport() });

    await expect(openSession(rest, '0x1', sessionConnector(new Taker()))).rejects.toThrow(ConnectionError);
  });
});
