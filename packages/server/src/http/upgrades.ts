/* Connections that become WebSockets: who takes them, who is asking, and how a refusal is said before that. */
import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorCodeHeader, errorNextHeader, SheafError } from '@sheaf/wire';
import type { Services } from '../services.ts';
import { tokenOwner } from '../accounts/tokens.ts';
import { accessRefusal } from './authenticate.ts';
import { rewriteUrl } from './request-target.ts';
import { viewerFrom, type UserViewer, type Viewer } from './viewer.ts';

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** Begins with a slash; without the query. */
  readonly path: string;
}

/** Takes a connection, or answers false. */
export type UpgradeHandler = (upgrade: Upgrade) => boolean;

/** Every connection goes to the first handler that takes it; without one it is refused. */
export function serveUpgrades(server: Server, handlers: readonly UpgradeHandler[]): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // One that breaks before it is anybody's: nobody is to be told.
    socket.on('error', () => socket.destroy());
    const path = rewriteUrl(request).split('?', 1)[0] ?? '/';
    if (!handlers.some((handler) => handler({ request, socket, head, path }))) {
      refuseUpgrade(socket, new SheafError('not-found', `There is nothing at ${path}.`));
    }
  });
}

/**
 * Who opens the connection; the same tokens and rules as for requests of level `user-with-access`.
 * @throws SheafError `not-authenticated`, `not-verified`, `no-access`
 */
export async function userOfUpgrade({ request }: Upgrade, services: Services): Promise<UserViewer> {
  const query = new URLSearchParams(request.url?.split('?')[1] ?? '');
  const header = request.headers.authorization;
  const token =
    header === undefined ? (query.get('access_token') ?? undefined) : /^bearer +(\S+)\s*$/i.exec(header)?.[1];
  const user =
    token === undefined
      ? undefined
      : await tokenOwner(services.database.queries, token, services.clock.now());
  const viewer: Viewer = user === undefined ? { kind: 'anonymous' } : viewerFrom(user);
  const refusal = accessRefusal(viewer, { access: 'user-with-access' }, services.settings.protectedMode);
  if (refusal !== undefined) throw refusal.error;
  if (viewer.kind === 'anonymous') {
    throw new SheafError('not-authenticated', 'User is not authenticated.');
  }
  return viewer;
}

/** Answers as a request would be answered, and ends the connection. */
export function refuseUpgrade(socket: Duplex, error: SheafError): void {
  const body = Buffer.from(error.message);
  const headers = [
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    `${errorCodeHeader}: ${error.code}`,
    ...(error.next === undefined ? [] : [`${errorNextHeader}: ${error.next.replace(/[^\x20-\x7e]/g, '?')}`]),
  ];
  const status = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`;
  // Whoever does not hang up then is not waited for.
  socket.once('finish', () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${[status, ...headers].join('\r\n')}\r\n\r\n`), body]));
}
