/**
 * Fetches ahead what runs that wait will probably need, one run after the other, while no run of this worker waits for a download
 * of its own. All of it is a guess: what fails is logged, and fetched again by the run that really comes.
 */
import type { PrefetchMessage } from '@sheaf/wire';
import type { DependencyCache } from '../cache/dependency-cache.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { ImageCache } from '../images/image-cache.ts';
import type { Log } from '../log.ts';
import type { Runtimes } from '../run/runtimes.ts';
import type { Precedence } from './precedence.ts';

export interface PrefetcherOptions {
  readonly cache: Pick<DependencyCache, 'prefetch'>;
  readonly images: Pick<ImageCache, 'missing' | 'reserve' | 'spare'>;
  readonly runtimes: Runtimes;
  readonly precedence: Precedence;
  /** Bytes of an image to download at most; null for any. */
  readonly maximumImageSize: number | null;
  /** Whether the run is here already: then it gets what it needs by itself. */
  readonly holds: (uuid: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** The worker ends. */
  readonly signal: AbortSignal;
}

/** More hints than these are forgotten, the newest first. */
const mostWaiting = 100;
/** How long an image is kept for a run that may be given to another worker, in milliseconds. */
const reservedFor = 600_000;

export class Prefetcher {
  readonly #options: PrefetcherOptions;
  /** In the order in which the server expects the runs. */
  readonly #waiting = new Map<string, PrefetchMessage>();
  #working: Promise<void> | undefined;

  constructor(options: PrefetcherOptions) {
    this.#options = options;
  }

  /** Takes a hint; a second one about the same run counts instead of the first. */
  hint(message: PrefetchMessage): void {
    if (this.#options.signal.aborted) return;
    if (!this.#waiting.has(message.uuid) && this.#waiting.size >= mostWaiting) return;
    this.#waiting.set(message.uuid, message);
    this.#working ??= this.#work();
  }

  /** Returns when nothing is being fetched. */
  async settled(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    // Whatever happens, the next hint starts anew.
    try {
      for (;;) {
        const [next] = this.#waiting.values();
        if (next === undefined || this.#options.signal.aborted) return;
        this.#waiting.delete(next.uuid);
        if (!this.#options.holds(next.uuid)) await this.#fetch(next);
      }
    } finally {
      this.#working = undefined;
    }
  }

  async #fetch(message: PrefetchMessage): Promise<void> {
    await Promise.all([
      this.#orLog(message.uuid, 'image', () => this.#fetchImage(message)),
      this.#fetchDependencies(message),
    ]);
  }

  async #fetchDependencies({ uuid, dependencies }: PrefetchMessage): Promise<void> {
    for (const { parent_uuid: parentUuid, parent_path: parentPath, entry } of dependencies) {
      const wanted = { parentUuid, parentPath, entry: entry ?? undefined };
      await this.#orLog(uuid, 'dependency', async () => {
        const here = await this.#options.cache.prefetch(uuid, wanted, this.#options.signal);
        return here ? 'here' : 'left to the run: there is no room for it now';
      });
    }
  }

  async #fetchImage({ uuid, docker_image: reference, image_requested }: PrefetchMessage): Promise<string> {
    const { images, runtimes, precedence, maximumImageSize, clock, signal } = this.#options;
    const { primary, fallback } = runtimes;
    if (!primary.capabilities.images) return 'this worker has no images';
    if (!image_requested && fallback !== undefined && images.missing(reference) !== undefined)
      return 'not to be had';
    const { spare } = images;
    if (spare !== undefined && spare <= 0) return 'left to the run: there is no room for it now';
    const most = Math.min(spare ?? Infinity, maximumImageSize ?? Infinity);
    const image = await precedence.behind(signal, (stop) =>
      primary.prepareImage(reference, {
        signal: stop,
        onProgress: ignore,
        maximumSize: most === Infinity ? undefined : most,
      }),
    );
    images.reserve(uuid, image, clock.now() + reservedFor);
    return 'here';
  }

  async #orLog(run: string, what: string, work: () => Promise<string>): Promise<void> {
    const { log, signal } = this.#options;
    try {
      const outcome = await work();
      log.debug({ run, what, outcome }, 'fetched ahead');
    } catch (error) {
      if (!signal.aborted) log.info({ run, what, error: messageOf(error) }, 'cannot be fetched ahead');
    }
  }
}

function ignore(): void {
  // Nobody is told of what is fetched ahead.
}
