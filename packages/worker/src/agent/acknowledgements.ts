/** Which messages are done with: told to the server with the next request, and remembered against a second delivery. */

/** More than a server ever has under way for one worker. */
const remembered = 10_000;

export class Acknowledgements {
  #pending = new Set<number>();
  readonly #seen = new Set<number>();

  /** Whether the message comes for the first time; one without a number always does. */
  begin(id: number | undefined): boolean {
    if (id === undefined) return true;
    // The server may not have heard yet that it was done.
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    const [oldest] = this.#seen;
    if (this.#seen.size > remembered && oldest !== undefined) this.#seen.delete(oldest);
    return true;
  }

  /** The message need not be delivered again. */
  done(id: number | undefined): void {
    if (id !== undefined) this.#pending.add(id);
  }

  get waiting(): boolean {
    return this.#pending.size > 0;
  }

  /** Takes what is to be told. Where the telling fails, the server says the message again, and it is told once more. */
  take(): number[] {
    const taken = [...this.#pending];
    this.#pending = new Set();
    return taken;
  }
}
