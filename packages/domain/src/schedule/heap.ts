/** Keeps the value that comes first at hand; which one that is may change with the values, a step at a time. */
export class Heap<Value> {
  readonly #values: Value[];
  readonly #before: (one: Value, other: Value) => boolean;

  /** @param values taken over */
  constructor(values: Value[], before: (one: Value, other: Value) => boolean) {
    this.#values = values;
    this.#before = before;
    for (let at = (values.length >> 1) - 1; at >= 0; at -= 1) this.#sink(at);
  }

  get first(): Value | undefined {
    return this.#values[0];
  }

  removeFirst(): void {
    const last = this.#values.pop();
    if (last === undefined || this.#values.length === 0) return;
    this.#values[0] = last;
    this.#sink(0);
  }

  /** To be called when the first value may come later now. */
  settleFirst(): void {
    if (this.#values.length > 1) this.#sink(0);
  }

  #sink(start: number): void {
    const values = this.#values;
    const moving = values[start];
    if (moving === undefined) return;
    let at = start;
    for (;;) {
      const left = values[2 * at + 1];
      const right = values[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && this.#before(right, left);
      const smaller = isRight ? right : left;
      if (smaller === undefined || !this.#before(smaller, moving)) break;
      values[at] = smaller;
      at = 2 * at + (isRight ? 2 : 1);
    }
    values[at] = moving;
  }
}
