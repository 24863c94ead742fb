/** Who needs which cached entries: the runs this worker holds, and those that wait and may come. */

export class Holders {
  readonly #users = new Map<string, Set<string>>();
  /** By entry and run: until when, in milliseconds since the epoch. */
  readonly #reserved = new Map<string, Map<string, number>>();

  /** A run needs the entry until it is released. What was kept in store for it is in use now. */
  hold(run: string, name: string): void {
    const users = this.#users.get(name) ?? new Set();
    users.add(run);
    this.#users.set(name, users);
    this.#dropReservation(name, run);
  }

  release(run: string): void {
    for (const [name, users] of this.#users) {
      if (users.delete(run) && users.size === 0) this.#users.delete(name);
    }
  }

  isHeld(name: string): boolean {
    return this.#users.has(name);
  }

  /** Runs that hold an entry. */
  count(name: string): number {
    return this.#users.get(name)?.size ?? 0;
  }

  /** Keeps an entry for a run that waits, for some time: it may be given to another worker. Forgets what was kept long enough. */
  reserve(run: string, name: string, until: number, now: number): void {
    for (const kept of this.#reserved.keys()) this.isReserved(kept, now);
    const runs = this.#reserved.get(name) ?? new Map<string, number>();
    runs.set(run, until);
    this.#reserved.set(name, runs);
  }

  isReserved(name: string, now: number): boolean {
    for (const [run, until] of this.#reserved.get(name) ?? []) {
      if (until > now) return true;
      this.#dropReservation(name, run);
    }
    return false;
  }

  #dropReservation(name: string, run: string): void {
    const runs = this.#reserved.get(name);
    runs?.delete(run);
    if (runs?.size === 0) this.#reserved.delete(name);
  }
}
