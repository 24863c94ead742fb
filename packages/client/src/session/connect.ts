/**
 * Opens the WebSocket of a session. What comes of it is plain data, no error with a class: `cl` loads this apart from the rest of
 * itself (docs/decisions/0602-start-of-the-client.md).
 */
import { text } from 'node:stream/consumers';
import { sessionFrame } from '@sheaf/wire';
import { WebSocket } from 'ws';
import { openTunnel } from '../node/tunnel.ts';
import type { ProxySettings } from '../node/proxy.ts';
import { SessionChannel, type SessionHandlers } from './channel.ts';
import type { Connected } from './open-session.ts';

export interface ConnectOptions {
  readonly proxy?: ProxySettings | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds until the server must have answered. */
const patience = 30_000;

/** Answers a function that connects; see `openSession`. */
export function sessionConnector(handlers: SessionHandlers, { proxy, signal }: ConnectOptions = {}) {
  return async (url: string, headers: Readonly<Record<string, string>>): Promise<Connected> => {
    const tunnel = proxy === undefined ? undefined : await openTunnel(url, proxy);
    if (tunnel !== undefined && 'failure' in tunnel) return { kind: 'failed', cause: tunnel.failure };
    const socket = new WebSocket(url.replace(/^http/, 'ws'), {
      headers: { ...headers },
      perMessageDeflate: false,
      maxPayload: sessionFrame,
      handshakeTimeout: patience,
      ...(tunnel === undefined ? {} : { createConnection: () => tunnel.socket }),
    });
    return await new Promise((resolve) => {
      let opened = false;
      const channel = new SessionChannel(socket, {
        data: (stream, bytes) => handlers.data(stream, bytes),
        control: (control) => handlers.control(control),
        closed: () => {
          signal?.removeEventListener('abort', abort);
          if (opened) handlers.closed();
        },
      });
      const abort = () => socket.terminate();
      signal?.addEventListener('abort', abort, { once: true });
      socket.once('open', () => {
        opened = true;
        resolve({ kind: 'open', channel });
      });
      socket.once('unexpected-response', (_request, response) => {
        const status = response.statusCode ?? 0;
        const named = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const);
        text(response)
          .then((body) => resolve({ kind: 'refused', status, headers: Object.fromEntries(named), body }))
          .catch((cause: unknown) => resolve({ kind: 'failed', cause }))
          .finally(() => socket.terminate());
      });
      socket.once('error', (cause) => resolve({ kind: 'failed', cause }));
      if (signal?.aborted === true) abort();
    });
  };
}
