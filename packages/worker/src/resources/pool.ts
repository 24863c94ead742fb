/** Hands out processors, GPUs and slots to runs, in the order they ask. */

export interface Request {
  readonly cpus: number;
  readonly gpus: number;
}

export interface Allocation {
  readonly cpus: readonly number[];
  readonly gpus: readonly string[];
}

interface Waiting {
  readonly uuid: string;
  readonly request: Request;
  readonly grant: (allocation: Allocation) => void;
}

export class ResourcePool {
  readonly #cpus: readonly number[];
  readonly #gpus: readonly string[];
  readonly #slots: number;
  readonly #held = new Map<string, Allocation>();
  /** Runs that have given their processors back, but not yet their slot. */
  readonly #slotHolders = new Set<string>();
  readonly #waiting: Waiting[] = [];

  constructor(totals: { cpus: readonly number[]; gpus: readonly string[]; slots: number | null }) {
    this.#cpus = totals.cpus;
    this.#gpus = totals.gpus;
    this.#slots = totals.slots ?? Number.POSITIVE_INFINITY;
  }

  /** What the run may use; undefined when it has to wait (see {@link acquire}). A run that holds something gets the same. */
  tryAcquire(uuid: string, request: Request): Allocation | undefined {
    const held = this.#held.get(uuid);
    if (held !== undefined) return held;
    const allocation = this.#waiting.length === 0 ? this.#choose(request) : undefined;
    if (allocation !== undefined) this.#take(uuid, allocation);
    return allocation;
  }

  /** Waits until there is enough (execution.md §17.2: it never fails for want of it). Rejects with the signal's reason. */
  acquire(uuid: string, request: Request, signal: AbortSignal): Promise<Allocation> {
    const now = this.tryAcquire(uuid, request);
    if (now !== undefined) return Promise.resolve(now);
    return new Promise((resolve, reject) => {
      const leave = () => {
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
        this.#serve();
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        uuid,
        request,
        grant: (allocation) => {
          signal.removeEventListener('abort', leave);
          resolve(allocation);
        },
      };
      this.#waiting.push(waiting);
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
    });
  }

  /** Takes exactly these again, for a run that goes on after the worker was started anew. */
  restore(uuid: string, allocation: Allocation): void {
    this.#take(uuid, allocation);
  }

  /** The command has ended: others may use its processors. The run still counts as held. */
  release(uuid: string): void {
    if (this.#held.delete(uuid)) this.#serve();
  }

  /** The run is over. */
  leave(uuid: string): void {
    this.#held.delete(uuid);
    this.#slotHolders.delete(uuid);
    this.#serve();
  }

  #take(uuid: string, allocation: Allocation): void {
    this.#held.set(uuid, allocation);
    this.#slotHolders.add(uuid);
  }

  #serve(): void {
    for (;;) {
      const first = this.#waiting[0];
      const allocation = first === undefined ? undefined : this.#choose(first.request);
      if (first === undefined || allocation === undefined) return;
      this.#waiting.shift();
      this.#take(first.uuid, allocation);
      first.grant(allocation);
    }
  }

  #choose(request: Request): Allocation | undefined {
    if (this.#slotHolders.size >= this.#slots) return undefined;
    const taken = [...this.#held.values()];
    const cpus = this.#cpus.filter((number) => !taken.some((one) => one.cpus.includes(number)));
    const gpus = this.#gpus.filter((uuid) => !taken.some((one) => one.gpus.includes(uuid)));
    if (cpus.length < request.cpus || gpus.length < request.gpus) return undefined;
    return { cpus: cpus.slice(0, request.cpus), gpus: gpus.slice(0, request.gpus) };
  }
}
