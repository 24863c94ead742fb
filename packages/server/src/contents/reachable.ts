/** Which blobs a bundle's contents consist of: what somebody who may read the bundle may ask for. */
import { walkTree, type Digest, type Entry, type Trees } from '@sheaf/trees';

/** Digests kept in memory, over all roots. */
const mostDigests = 2_000_000;

export class ReachableDigests {
  readonly #trees: Trees;
  readonly #kept = new Map<Digest, ReadonlySet<Digest>>();
  #count = 0;

  constructor(trees: Trees) {
    this.#trees = trees;
  }

  /** Every digest below the root, its own included. Roots are immutable, so the answer is kept. */
  async below(root: Entry): Promise<ReadonlySet<Digest>> {
    if (root.kind === 'link') return new Set();
    if (root.kind === 'file') return new Set([root.digest]);
    const kept = this.#kept.get(root.digest);
    if (kept !== undefined) {
      this.#kept.delete(root.digest);
      this.#kept.set(root.digest, kept);
      return kept;
    }
    const found = new Set<Digest>();
    // A tree that occurs twice is walked once: a few small trees can contain each other very often.
    const skip = ({ entry }: { entry: Entry }) => entry.kind !== 'link' && found.has(entry.digest);
    for await (const { entry } of walkTree(this.#trees, root, { skip })) {
      if (entry.kind !== 'link') found.add(entry.digest);
    }
    this.#keep(root.digest, found);
    return found;
  }

  #keep(root: Digest, digests: ReadonlySet<Digest>): void {
    this.#kept.set(root, digests);
    this.#count += digests.size;
    for (const [oldest, { size }] of this.#kept) {
      if (this.#count <= mostDigests) return;
      this.#kept.delete(oldest);
      this.#count -= size;
    }
  }
}
