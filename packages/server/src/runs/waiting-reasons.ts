/*
 * Why runs wait, as the newest pass that knew it has found out. Kept in memory and laid over what is stored wherever a bundle is
 * shown (docs/decisions/0802-reasons-in-memory.md): ten thousand runs that wait for the same thing are told by one sentence.
 */

export class WaitingReasons {
  #reasonOf: (uuid: string) => string | undefined = () => undefined;
  readonly #watchers = new Map<string, Set<() => void>>();

  /** Undefined for a bundle that is no run that waits, or that no pass has looked at yet: what is stored says enough. */
  of(bundle: { readonly uuid: string; readonly state: string }): string | undefined {
    return bundle.state === 'staged' ? this.#reasonOf(bundle.uuid) : undefined;
  }

  /** Calls `listener` whenever the reason of the run has changed. Answers how to stop that. */
  watch(uuid: string, listener: () => void): () => void {
    const watchers = this.#watchers.get(uuid) ?? new Set();
    watchers.add(listener);
    this.#watchers.set(uuid, watchers);
    return () => {
      watchers.delete(listener);
      if (watchers.size === 0 && this.#watchers.get(uuid) === watchers) this.#watchers.delete(uuid);
    };
  }

  /** How many watch the run. */
  watched(uuid: string): number {
    return this.#watchers.get(uuid)?.size ?? 0;
  }

  /** Replaces what was known, and tells those who watch runs of which something else is said now. */
  publish(reasonOf: (uuid: string) => string | undefined): void {
    const before = this.#said;
    this.#reasonOf = reasonOf;
    for (const [uuid, watchers] of this.#watchers) {
      const reason = reasonOf(uuid);
      if (before.get(uuid) === reason) continue;
      before.set(uuid, reason);
      for (const listener of watchers) listener();
    }
    for (const uuid of before.keys()) if (!this.#watchers.has(uuid)) before.delete(uuid);
  }

  /** What was last told of each run that is watched. */
  readonly #said = new Map<string, string | undefined>();
}
