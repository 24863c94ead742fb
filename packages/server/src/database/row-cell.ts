/**
 * A parameter that stands for one value of each of the given rows in turn: where an engine executes such a statement once for each
 * row, that is cheaper than one statement for all (docs/decisions/0814). All cells of a statement are of the same rows.
 */
export class RowCell {
  readonly rows: readonly object[];
  readonly #name: string;
  readonly #isJson: boolean;

  constructor(rows: readonly object[], name: string, isJson: boolean) {
    this.rows = rows;
    this.#name = name;
    this.#isJson = isJson;
  }

  of(row: object): unknown {
    const value: unknown = (row as Record<string, unknown>)[this.#name];
    return this.#isJson && value !== null ? JSON.stringify(value) : value;
  }
}
