/* All sessions of this process: how many there may be, and what ends them. */
import { SheafError, sessionFrame } from '@sheaf/wire';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Upgrade } from '../../http/upgrades.ts';
import type { Services } from '../../services.ts';
import type { Admitted } from './admit.ts';
import { Session } from './session.ts';

const mostOfOneRun = 16;
const mostOfOneUser = 64;
const mostInAll = 512;
/** Milliseconds between signs of life. */
const pingInterval = 30_000;
/** Milliseconds that a session may outlast its run, for its last words. */
const lastWords = 5_000;

export class Sessions {
  readonly #services: Services;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: sessionFrame,
    perMessageDeflate: false,
  });
  readonly #sessions = new Set<Session>();
  readonly #stopListening: readonly (() => void)[];
  #stopped = false;
  #cancelTick: () => void;

  constructor(services: Services) {
    this.#services = services;
    const { events, clock } = services;
    this.#stopListening = [
      events.on('bundle.changed', ({ uuid, state }) => {
        // While the worker is out of reach, its end may still be there.
        if (state !== 'running' && state !== 'worker_offline') this.#endOf(uuid, 'The run has ended.');
      }),
      events.on('bundle.deleted', ({ uuid }) => this.#endOf(uuid, 'The run was deleted.', 0)),
    ];
    this.#cancelTick = clock.after(pingInterval, () => this.#tick());
  }

  /** @throws SheafError `action-refused` while there are too many */
  requireRoom({ user, holder }: Admitted): void {
    const all = [...this.#sessions];
    const ofRun = all.filter(({ runUuid }) => runUuid === holder.runUuid).length;
    const ofUser = all.filter(({ userId }) => userId === user.id).length;
    if (this.#stopped) throw new SheafError('internal', 'The server is stopping.');
    if (ofRun >= mostOfOneRun) {
      throw new SheafError(
        'action-refused',
        `There are ${ofRun} sessions in bundle ${holder.runUuid} already.`,
        {
          next: 'End one of them first.',
        },
      );
    }
    if (ofUser >= mostOfOneUser || all.length >= mostInAll) {
      throw new SheafError('action-refused', 'There are too many sessions at this server already.', {
        next: 'End one of yours first, or try again later.',
      });
    }
  }

  accept({ request, socket, head }: Upgrade, use: (socket: WebSocket) => void): void {
    this.#server.handleUpgrade(request, socket, head, use);
  }

  open(admitted: Admitted, socket: WebSocket): void {
    const session = new Session(this.#services, admitted, socket, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    if (this.#stopped) session.stop(stopping());
  }

  /** The session whose worker is to connect to this socket and has not yet. */
  waiting(socketId: number): Session | undefined {
    return [...this.#sessions].find((session) => session.awaits(socketId));
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTick();
    for (const stop of this.#stopListening) stop();
    for (const session of this.#sessions) session.stop(stopping());
  }

  #endOf(uuid: string, why: string, delay = lastWords): void {
    for (const session of this.#sessions) {
      if (session.runUuid !== uuid) continue;
      this.#services.clock.after(delay, () => session.fail(new SheafError('action-refused', why)));
    }
  }

  #tick(): void {
    for (const session of this.#sessions) session.ping();
    this.#cancelTick = this.#services.clock.after(pingInterval, () => this.#tick());
  }
}

function stopping(): SheafError {
  return new SheafError('internal', 'The server is being stopped, and the session with it.', {
    next: 'Start it again when the server is back; the run goes on.',
  });
}
