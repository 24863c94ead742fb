/** Which images this worker has used, so that those unused longest can go, and which cannot be had (execution.md §19). */
import type { PreparedImage, Runtime } from '@sheaf/runtimes';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { chooseEvictions } from '../cache/eviction.ts';
import type { Clock } from '../clock.ts';
import { messageOf, systemCode } from '../errors.ts';
import { writeWhole } from '../files.ts';
import type { Log } from '../log.ts';

const usedImages = z.record(z.string(), z.object({ size: z.number(), usedAt: z.number() }));

export interface ImageCacheOptions {
  /** Where the record is kept. */
  readonly path: string;
  /** Bytes; null keeps every image. */
  readonly limit: number | null;
  readonly runtime: Pick<Runtime, 'removeImage'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long an image that could not be had counts as missing, in milliseconds: the runs that follow need not wait, too. */
const missingFor = 60_000;

/** Milliseconds between two uses of an image of which only the first need be known after a restart. */
const negligible = 60_000;

/** Only images that this worker has downloaded are counted and removed; what was there before belongs to somebody else. */
export class ImageCache {
  readonly #options: ImageCacheOptions;
  readonly #used: Map<string, { size: number; usedAt: number }>;
  readonly #users = new Map<string, string>();
  /** By run that waits: its image, and until when it is kept. */
  readonly #reserved = new Map<string, { readonly id: string; readonly until: number }>();
  readonly #missing = new Map<string, { reason: string; until: number }>();
  #working: Promise<void> = Promise.resolve();
  /** What the file says; undefined: that is not known. */
  #written: ReadonlyMap<string, { readonly size: number; readonly usedAt: number }> | undefined;

  private constructor(options: ImageCacheOptions, used: Map<string, { size: number; usedAt: number }>) {
    this.#options = options;
    this.#used = used;
  }

  static async open(options: ImageCacheOptions): Promise<ImageCache> {
    return new ImageCache(options, await readUsed(options.path));
  }

  /** Why an image could not be had a moment ago; undefined where nobody has tried. */
  missing(reference: string): string | undefined {
    const known = this.#missing.get(reference);
    return known !== undefined && known.until > this.#options.clock.now() ? known.reason : undefined;
  }

  noteMissing(reference: string, reason: string): void {
    this.#missing.set(reference, { reason, until: this.#options.clock.now() + missingFor });
  }

  /** A run uses an image, until `release`. */
  hold(run: string, image: PreparedImage): void {
    this.#reserved.delete(run);
    this.#users.set(run, image.id);
    this.#note(image);
  }

  /** Keeps an image for a run that waits, until a time in milliseconds since the epoch. */
  reserve(run: string, image: PreparedImage, until: number): void {
    this.#reserved.set(run, { id: image.id, until });
    this.#note(image);
  }

  release(run: string): void {
    if (this.#users.delete(run)) this.#tidyLater();
  }

  /** Bytes that an image may have which no run waits for, so that none goes that a run needs; undefined without a limit. */
  get spare(): number | undefined {
    const { limit } = this.#options;
    if (limit === null) return undefined;
    const needed = this.#needed();
    const sizes = [...this.#used].map(([id, { size }]) => (needed.has(id) ? size : 0));
    return limit - sizes.reduce((sum, size) => sum + size, 0);
  }

  async settle(): Promise<void> {
    await this.#working;
  }

  #note({ id, size, downloaded }: PreparedImage): void {
    if (downloaded !== true && !this.#used.has(id)) return;
    this.#used.set(id, { size, usedAt: this.#options.clock.now() });
    this.#tidyLater();
  }

  #needed(): Set<string> {
    const now = this.#options.clock.now();
    for (const [run, { until }] of this.#reserved) if (until <= now) this.#reserved.delete(run);
    return new Set([...this.#users.values(), ...[...this.#reserved.values()].map(({ id }) => id)]);
  }

  #tidyLater(): void {
    this.#working = this.#working
      .then(() => this.#tidy())
      .catch((error: unknown) =>
        this.#options.log.warn({ error: messageOf(error) }, 'images cannot be cleaned up'),
      );
  }

  async #tidy(): Promise<void> {
    const { limit, path } = this.#options;
    const staying = new Set<string>();
    for (;;) {
      const needed = this.#needed();
      const candidates = [...this.#used].map(([name, used]) => {
        return { ...used, name, inUse: needed.has(name) || staying.has(name) };
      });
      const [id] = chooseEvictions(candidates, limit ?? Number.POSITIVE_INFINITY);
      if (id === undefined) break;
      // What stays is on the list still, and is asked about again the next time.
      if (await this.#remove(id)) this.#used.delete(id);
      else staying.add(id);
    }
    if (!this.#hasNews()) return;
    const used = new Map(this.#used);
    await writeWhole(path, JSON.stringify(Object.fromEntries(used)));
    this.#written = used;
  }

  /** A use that comes soon after the one on file makes no difference to which image goes. */
  #hasNews(): boolean {
    const written = this.#written;
    if (written?.size !== this.#used.size) return true;
    return [...this.#used].some(([id, { size, usedAt }]) => {
      const before = written.get(id);
      return before?.size !== size || Math.abs(usedAt - before.usedAt) > negligible;
    });
  }

  /** Answers whether it is gone: a container of somebody else may use it, and one that cannot be removed must not keep the rest. */
  async #remove(image: string): Promise<boolean> {
    const { runtime, log } = this.#options;
    try {
      const outcome = await runtime.removeImage(image);
      log.info({ image, outcome }, 'image no longer needed');
      return outcome !== 'in use';
    } catch (error) {
      log.warn({ image, error: messageOf(error) }, 'an image cannot be removed');
      return false;
    }
  }
}

async function readUsed(path: string): Promise<Map<string, { size: number; usedAt: number }>> {
  try {
    return new Map(Object.entries(usedImages.parse(JSON.parse(await readFile(path, 'utf8')))));
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError)
      return new Map();
    throw error;
  }
}
