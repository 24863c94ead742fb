/*
 * Whose tokens have been asked about lately: workers send hundreds of requests with one and the same. Dropped at once when an account or
 * a token changes here; a change by another server on the same database is noticed after a few seconds (docs/decisions/0812).
 */
import { hashToken, tokenOwner } from '../accounts/tokens.ts';
import type { Services } from '../services.ts';
import { viewerFrom, type UserViewer } from './viewer.ts';

/** Milliseconds. */
const keptFor = 5000;
const mostKept = 20_000;

interface Kept {
  readonly viewer: UserViewer;
  /** By the wall clock, as it is stored. */
  readonly expiresAt: number;
  /** By the clock that nobody sets. */
  readonly askedAt: number;
}

export class KeptViewers {
  readonly #services: Services;
  /** By the hash of the token: the tokens themselves are nowhere kept. */
  readonly #kept = new Map<string, Kept>();
  /** Counts what has been dropped, so that an answer from before is not kept after. */
  #drops = 0;

  constructor(services: Services) {
    this.#services = services;
    const drop = () => {
      this.#drops += 1;
      this.#kept.clear();
    };
    services.events.on('account.changed', drop);
    services.events.on('access.changed', drop);
  }

  /** The user of a valid access token. */
  async find(token: string): Promise<UserViewer | undefined> {
    const { database, clock } = this.#services;
    const hash = hashToken(token);
    const kept = this.#kept.get(hash);
    const askedAt = clock.elapsed();
    if (kept !== undefined && kept.askedAt > askedAt - keptFor && kept.expiresAt > clock.now())
      return kept.viewer;
    const drops = this.#drops;
    const found = await tokenOwner(database.queries, token, clock.now());
    this.#kept.delete(hash);
    if (found === undefined) return undefined;
    const viewer = viewerFrom(found);
    if (drops === this.#drops) this.#keep(hash, { viewer, expiresAt: found.expires_at, askedAt });
    return viewer;
  }

  #keep(hash: string, one: Kept): void {
    this.#kept.set(hash, one);
    if (this.#kept.size <= mostKept) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}
