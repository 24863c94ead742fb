/** What a command has left that cannot be stored anywhere: counted, and the first of it named to the owner of the run. */

/** Longer paths say nothing more. */
const shownCharacters = 120;

export class RefusedEntries {
  #first: string | undefined;
  #count = 0;

  note(path: string, reason: string): void {
    this.#count += 1;
    this.#first ??= `${shorten(path)}: ${reason}`;
  }

  /** Undefined where there is nothing to say. */
  get words(): string | undefined {
    if (this.#first === undefined) return undefined;
    const others = this.#count === 1 ? '' : ` (and ${this.#count - 1} more)`;
    return `${this.#first}${others}. Everything else is stored.`;
  }
}

function shorten(path: string): string {
  const half = shownCharacters / 2;
  return path.length <= shownCharacters ? path : `${path.slice(0, half)}…${path.slice(-half)}`;
}
