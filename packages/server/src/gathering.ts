/*
 * Does together what comes while the one before is being done: a transaction costs the same for one as for fifty. Nothing waits for
 * others to come; where there is only one, it is done at once.
 */

export interface GatheringOptions<Item, Result> {
  /** Items of which one keeps the other waiting: those that share a key are never done together. */
  readonly keys: (item: Item) => readonly string[];
  /**
   * Does many. Answers undefined for those that are to be done alone; when it throws, all of them are.
   * Either way nothing has been done about them.
   */
  readonly together: (items: readonly Item[]) => Promise<readonly (Result | undefined)[]>;
  readonly alone: (item: Item) => Promise<Result>;
  /** Told why many could not be done together. */
  readonly failed: (error: unknown) => void;
  /** How many batches may be under way at once; 1 where they would only wait for each other. */
  readonly atOnce?: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** More would keep everybody else waiting for the database. */
const mostTogether = 200;

export class Gathering<Item, Result> {
  readonly #options: GatheringOptions<Item, Result>;
  readonly #atOnce: number;
  #waiting: Waiting<Item, Result>[] = [];
  /** Keys of what is under way. */
  readonly #held = new Set<string>();
  #underWay = 0;
  #isDue = false;

  constructor(options: GatheringOptions<Item, Result>) {
    this.#options = options;
    this.#atOnce = options.atOnce ?? 1;
  }

  /** Resolves with the item's own result, or rejects with its own error, once it is done. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#begin();
    });
  }

  /** Whatever else comes in with the same breath of the event loop goes along. */
  #begin(): void {
    if (this.#isDue || this.#underWay >= this.#atOnce || this.#waiting.length === 0) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    const taken = this.#take();
    // All that waits concerns what is under way.
    if (taken.length === 0) return;
    const keys = taken.flatMap(({ item }) => this.#options.keys(item));
    for (const key of keys) this.#held.add(key);
    this.#underWay += 1;
    this.#begin();
    await this.#do(taken);
    this.#underWay -= 1;
    for (const key of keys) this.#held.delete(key);
    this.#begin();
  }

  #take(): Waiting<Item, Result>[] {
    const taken: Waiting<Item, Result>[] = [];
    const left: Waiting<Item, Result>[] = [];
    const keys = new Set(this.#held);
    for (const waiting of this.#waiting) {
      const own = this.#options.keys(waiting.item);
      const isFree = taken.length < mostTogether && own.every((key) => !keys.has(key));
      (isFree ? taken : left).push(waiting);
      // One that is left keeps those after it from overtaking.
      for (const key of own) keys.add(key);
    }
    this.#waiting = left;
    return taken;
  }

  async #do(taken: readonly Waiting<Item, Result>[]): Promise<void> {
    const results = await this.#together(taken);
    for (const [at, { item, resolve, reject }] of taken.entries()) {
      const result = results[at];
      if (result !== undefined) resolve(result);
      else await this.#options.alone(item).then(resolve, reject);
    }
  }

  async #together(taken: readonly Waiting<Item, Result>[]): Promise<readonly (Result | undefined)[]> {
    try {
      return await this.#options.together(taken.map(({ item }) => item));
    } catch (error) {
      this.#options.failed(error);
      return [];
    }
  }
}
