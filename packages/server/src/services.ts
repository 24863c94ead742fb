import type { Uuid } from '@sheaf/domain';
import type { BlobStore } from '@sheaf/trees';
import type { Logger } from 'pino';
import type { Database } from './database/database.ts';
import type { RunUnitOfWork } from './database/unit-of-work.ts';
import type { Events } from './events/events.ts';
import type { WaitingReasons } from './runs/waiting-reasons.ts';
import type { Settings } from './settings/settings.ts';

/** What every part of the server is given; only `main.ts` knows the concrete classes behind it. */
export interface Services {
  readonly settings: Settings;
  readonly database: Database;
  readonly unitOfWork: RunUnitOfWork;
  readonly events: Events;
  /** Why runs wait. */
  readonly reasons: WaitingReasons;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

export interface Clock {
  /** Milliseconds since the epoch: to be stored and shown. It may be set forward and back at any time. */
  now(): number;
  /** Milliseconds since some moment, never set: to measure how long something takes. */
  elapsed(): number;
  /** Calls back once after the given milliseconds unless cancelled; never keeps the process alive. */
  after(milliseconds: number, callback: () => void): () => void;
}

export interface Ids {
  uuid(): Uuid;
  /** An unguessable text of letters and digits. */
  secret(length: number): string;
}
