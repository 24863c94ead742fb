/*
 * The channel that tells workers to check in now (execution.md §7). It carries no data and is not authenticated: a stranger under
 * a worker's id causes noise at most, because every connection of an id is told, and seldom.
 */
import { WebSocketServer, type WebSocket } from 'ws';
import type { Events } from '../events/events.ts';
import { decoded } from '../http/decoded.ts';
import type { UpgradeHandler } from '../http/upgrades.ts';
import type { Clock } from '../services.ts';

const mostConnections = 10_000;
const mostConnectionsOfOneId = 16;
const longestId = 127;
/** Text messages a connection may send within a ping interval; workers send one each 10 s. */
const mostMessages = 60;
const pingInterval = 30_000;
const patience = 90_000;
/** A wake-up that was not followed by a check-in is repeated after this time, in milliseconds. */
const unansweredWakeUp = 5_000;
const soon = 1_000;

interface Connection {
  readonly socket: WebSocket;
  heardAt: number;
  messages: number;
}

export class WakeUps {
  readonly #clock: Clock;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: 1024,
    perMessageDeflate: false,
  });
  readonly #connections = new Map<string, Set<Connection>>();
  readonly #wokenAt = new Map<string, number>();
  readonly #soon = new Map<string, () => void>();
  readonly #stopListening: () => void;
  #count = 0;
  #cancelTick: () => void;

  constructor(events: Events, clock: Clock) {
    this.#clock = clock;
    this.#stopListening = events.on('message.queued', ({ workerId }) => this.wake(workerId));
    this.#cancelTick = clock.after(pingInterval, () => this.#tick());
  }

  /** Takes connections whose path ends in `/worker/<id>`. */
  readonly upgrade: UpgradeHandler = ({ request, socket, head }) => {
    const ids = workerIdsFrom(request.url ?? '');
    const refused = ids.length === 0 || this.#count >= mostConnections || ids.some((id) => this.#crowded(id));
    if (refused) return false;
    this.#server.handleUpgrade(request, socket, head, (accepted) => this.#accept(ids, accepted));
    return true;
  };

  isConnected(workerId: string): boolean {
    return this.#connections.has(workerId);
  }

  /** Tells a worker to check in, unless it was told and has not come yet. */
  wake(workerId: string): void {
    const connections = this.#connections.get(workerId);
    if (connections === undefined) return;
    const now = this.#clock.elapsed();
    const wokenAt = this.#wokenAt.get(workerId);
    if (wokenAt !== undefined && now - wokenAt < unansweredWakeUp) return;
    this.#wokenAt.set(workerId, now);
    for (const { socket } of connections) socket.send(workerId);
  }

  /** Tells a worker to check in soon, because something about its runs changes faster than it comes by itself. */
  wakeSoon(workerId: string): void {
    if (!this.#connections.has(workerId)) return;
    this.#soon.get(workerId)?.();
    this.#soon.set(
      workerId,
      this.#clock.after(soon, () => {
        this.#soon.delete(workerId);
        this.wake(workerId);
      }),
    );
  }

  /** The worker is here: what it was told is done. */
  checkedIn(workerId: string): void {
    this.#wokenAt.delete(workerId);
    this.#soon.get(workerId)?.();
    this.#soon.delete(workerId);
  }

  stop(): void {
    this.#stopListening();
    this.#cancelTick();
    for (const cancel of this.#soon.values()) cancel();
    this.#soon.clear();
    for (const connections of this.#connections.values()) {
      for (const { socket } of connections) socket.close(1001);
    }
    this.#connections.clear();
  }

  #crowded(id: string): boolean {
    return (this.#connections.get(id)?.size ?? 0) >= mostConnectionsOfOneId;
  }

  #accept(ids: readonly string[], socket: WebSocket): void {
    const connection: Connection = { socket, heardAt: this.#clock.elapsed(), messages: 0 };
    this.#count += 1;
    for (const id of ids) {
      const connections = this.#connections.get(id) ?? new Set();
      connections.add(connection);
      this.#connections.set(id, connections);
    }
    socket.on('pong', () => {
      connection.heardAt = this.#clock.elapsed();
    });
    socket.on('message', () => {
      connection.heardAt = this.#clock.elapsed();
      connection.messages += 1;
      if (connection.messages > mostMessages) socket.close(1008);
    });
    // A broken connection is reported here and then closed; the worker connects anew or polls.
    socket.on('error', () => socket.terminate());
    socket.on('close', () => this.#forget(ids, connection));
  }

  #forget(ids: readonly string[], connection: Connection): void {
    this.#count -= 1;
    for (const id of ids) {
      const connections = this.#connections.get(id);
      connections?.delete(connection);
      if (connections?.size !== 0) continue;
      this.#connections.delete(id);
      this.#wokenAt.delete(id);
    }
  }

  #tick(): void {
    const oldest = this.#clock.elapsed() - patience;
    for (const connections of this.#connections.values()) {
      for (const connection of connections) {
        connection.messages = 0;
        if (connection.heardAt < oldest) connection.socket.terminate();
        else connection.socket.ping();
      }
    }
    this.#cancelTick = this.#clock.after(pingInterval, () => this.#tick());
  }
}

/** Workers do not encode their id here, so it counts as it is and, where that differs, decoded (execution.md T11). */
export function workerIdsFrom(target: string): string[] {
  const path = target.split('?', 1)[0] ?? '';
  const raw = /\/worker\/(.+)$/.exec(path)?.[1];
  if (raw === undefined) return [];
  return [...new Set([raw, decoded(raw)])].filter((id) => id.length <= longestId);
}
