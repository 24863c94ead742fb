/** Feeds many blobs into a store: small ones gathered into batches, a few batches on their way at once. */
import type { BlobStore } from './blob-store.ts';
import type { Digest } from '../tree/entry.ts';

const batchBytes = 4 * 1024 * 1024;
const batchBlobs = 1024;
const batchesAtOnce = 2;

interface Gathered {
  readonly bytes: Uint8Array;
  readonly stored: ((digest: Digest) => void) | undefined;
}

export class Intake {
  readonly #store: BlobStore;
  #gathered: Gathered[] = [];
  #bytes = 0;
  readonly #running = new Set<Promise<void>>();
  #failure: unknown;
  #failed = false;

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /**
   * Takes a blob that is in memory; the bytes must not change afterwards. Answers a promise only where more must wait, and
   * `stored` is called once the digest is known.
   */
  add(bytes: Uint8Array, stored?: (digest: Digest) => void): Promise<void> | undefined {
    this.#gathered.push({ bytes, stored });
    this.#bytes += bytes.length;
    if (this.#bytes < batchBytes && this.#gathered.length < batchBlobs) return undefined;
    return this.#send();
  }

  /** Streams a large blob. */
  async stream(source: AsyncIterable<Uint8Array>): Promise<{ digest: Digest; size: number }> {
    const writer = await this.#store.writer();
    try {
      for await (const chunk of source) await writer.write(chunk);
      return await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /** Waits until everything taken is in the store. */
  async finish(): Promise<void> {
    await this.#send();
    while (this.#running.size > 0) await Promise.race(this.#running);
    this.#throwFailure();
  }

  /** Waits for what is running, after a failure elsewhere, so that nothing writes any more. */
  async abandon(): Promise<void> {
    this.#gathered = [];
    await Promise.allSettled(this.#running);
  }

  async #send(): Promise<void> {
    const batch = this.#gathered;
    this.#gathered = [];
    this.#bytes = 0;
    if (batch.length > 0) {
      const running: Promise<void> = this.#put(batch).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
    while (this.#running.size >= batchesAtOnce) await Promise.race(this.#running);
    this.#throwFailure();
  }

  async #put(batch: readonly Gathered[]): Promise<void> {
    try {
      const digests = await this.#store.putMany(batch.map(({ bytes }) => bytes));
      for (const [index, digest] of digests.entries()) batch[index]?.stored?.(digest);
    } catch (error) {
      this.#failure = error;
      this.#failed = true;
    }
  }

  #throwFailure(): void {
    if (this.#failed) throw this.#failure;
  }
}
