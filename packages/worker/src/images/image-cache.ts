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
  /** Bytes; null keeps every image, and no record. */
  readonly limit: number | null;
  readonly runtime: Pick<Runtime, 'removeImage'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long an image that could not be had counts as missing, in milliseconds: the runs that follow need not wait, too. */
const missingFor = 60_000;

export class ImageCache {
  readonly #options: ImageCacheOptions;
  readonly #used: Map<string, { size: number; usedAt: number }>;
  readonly #users = new Map<string, string>();
  readonly #missing = new Map<string, { reason: string; until: number }>();
  #working: Promise<void> = Promise.resolve();

  private constructor(options: ImageCacheOptions, used: Map<string, { size: number; usedAt: number }>) {
    this.#options = options;
    this.#used = used;
  }

  static async open(options: ImageCacheOptions): Promise<ImageCache> {
    return new ImageCache(options, options.limit === null ? new Map() : await readUsed(options.path));
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
    if (this.#options.limit === null) return;
    this.#users.set(run, image.id);
    this.#used.set(image.id, { size: image.size, usedAt: this.#options.clock.now() });
    this.#cleanLater();
  }

  release(run: string): void {
    if (this.#users.delete(run)) this.#cleanLater();
  }

  async settle(): Promise<void> {
    await this.#working;
  }

  #cleanLater(): void {
    this.#working = this.#working
      .then(() => this.#clean())
      .catch((error: unknown) =>
        this.#options.log.warn({ error: messageOf(error) }, 'images cannot be cleaned up'),
      );
  }

  async #clean(): Promise<void> {
    const inUse = new Set(this.#users.values());
    const candidates = [...this.#used].map(([name, used]) => ({ ...used, name, inUse: inUse.has(name) }));
    for (const id of chooseEvictions(candidates, this.#options.limit ?? Number.POSITIVE_INFINITY)) {
      // An image that another program uses stays, and is asked about again later.
      if (await this.#options.runtime.removeImage(id)) this.#options.log.info({ image: id }, 'image removed');
      else this.#options.log.debug({ image: id }, 'image not removed: it is in use or gone');
      this.#used.delete(id);
    }
    await writeWhole(this.#options.path, JSON.stringify(Object.fromEntries(this.#used)));
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
