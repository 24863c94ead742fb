/** What has a place in the order of creation. */
export interface Placed {
  /** Smaller for what came earlier; each occurs once in a sequence. */
  readonly place: number;
}

/** Values in ascending order of their places. */
export interface Sequence<Value extends Placed> {
  readonly size: number;
  /** Undefined behind the end. */
  at(position: number): Value | undefined;
  /** How many stand before the place; where a value with that place is, its position. */
  countBefore(place: number): number;
}

const mostInBlock = 512;

/**
 * A sequence that changes: adding, removing and finding cost about the same however long it is. Kept in blocks, so that a change in
 * the middle moves a few hundred values and not a hundred thousand.
 */
export class Ordered<Value extends Placed> implements Sequence<Value> {
  /** None of them is empty. */
  readonly #blocks: Value[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A value with the same place is replaced. */
  add(value: Value): void {
    const index = this.#blockOf(value.place);
    const block = this.#blocks[index];
    if (block === undefined) {
      this.#blocks.push([value]);
      this.#size += 1;
      return;
    }
    const position = positionIn(block, value.place);
    const isThere = block[position]?.place === value.place;
    block.splice(position, isThere ? 1 : 0, value);
    if (!isThere) this.#size += 1;
    if (block.length > mostInBlock) this.#blocks.splice(index + 1, 0, block.splice(mostInBlock / 2));
  }

  /** Does nothing where there is no value with that place. */
  remove(place: number): void {
    const index = this.#blockOf(place);
    const block = this.#blocks[index];
    if (block === undefined) return;
    const position = positionIn(block, place);
    if (block[position]?.place !== place) return;
    block.splice(position, 1);
    this.#size -= 1;
    if (block.length === 0) this.#blocks.splice(index, 1);
  }

  at(position: number): Value | undefined {
    let left = position;
    for (const block of this.#blocks) {
      if (left < block.length) return block[left];
      left -= block.length;
    }
    return undefined;
  }

  countBefore(place: number): number {
    let count = 0;
    for (const block of this.#blocks) {
      const last = block.at(-1);
      if (last !== undefined && last.place >= place) return count + positionIn(block, place);
      count += block.length;
    }
    return count;
  }

  *[Symbol.iterator](): Generator<Value> {
    for (const block of this.#blocks) yield* block;
  }

  /** The block that has the place, or gets it: the last one where it stands behind everything. */
  #blockOf(place: number): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      const last = this.#blocks[middle]?.at(-1);
      if (last !== undefined && last.place >= place) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Where a value with the place is, or would be. */
function positionIn(block: readonly Placed[], place: number): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const value = block[middle];
    if (value !== undefined && value.place < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
