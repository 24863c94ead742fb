/**
 * What happened, told to whoever waits: the scheduler, held check-ins, `wait`, live pages. Emitted after the commit that made it
 * true, never before.
 */
export type ServerEvent =
  | { type: 'bundle.changed'; uuid: string; state: string; version: number }
  | { type: 'bundle.deleted'; uuid: string }
  | { type: 'worker.changed'; userId: string; workerId: string }
  /** Who belongs to which group, may do what with a bundle, or how much somebody may use: waiting runs may find a place now. */
  | { type: 'access.changed' }
  /** An account or a token is not what it was: whoever remembers whose a token is must ask again. */
  | { type: 'account.changed' }
  /** A run in a shared directory was assigned, or its command has ended. */
  | { type: 'shared-run.changed'; runUuid: string }
  /** A bundle's contents are not referred to any more: there may be something to sweep. */
  | { type: 'contents.dropped' }
  /** These messages went into an answer, for good. */
  | { type: 'message.taken'; messageIds: readonly number[] }
  | { type: 'message.queued'; userId: string; workerId: string };

export type ServerEventType = ServerEvent['type'];
type EventOf<Type extends ServerEventType> = Extract<ServerEvent, { type: Type }>;

export interface Events {
  emit(event: ServerEvent): void;
  /** Calls `listener` for each event of the type; answers how to stop that. A failing listener never stops the others. */
  on<Type extends ServerEventType>(type: Type, listener: (event: EventOf<Type>) => void): () => void;
}

export function createEvents(onListenerError: (error: unknown, event: ServerEvent) => void): Events {
  const listeners = new Map<ServerEventType, Set<(event: ServerEvent) => void>>();
  return {
    emit(event) {
      for (const listener of listeners.get(event.type) ?? []) {
        try {
          listener(event);
        } catch (error) {
          onListenerError(error, event);
        }
      }
    },
    on(type, listener) {
      const wrapped = listener as (event: ServerEvent) => void;
      const registered = listeners.get(type) ?? new Set();
      registered.add(wrapped);
      listeners.set(type, registered);
      return () => {
        registered.delete(wrapped);
      };
    },
  };
}
