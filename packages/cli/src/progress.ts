/** How far a transfer is, on stderr (cli.md §2.4): a line that changes on a terminal, one line at the end elsewhere. */
import { formatTransferProgress } from '@sheaf/domain';
import type { Context } from './context.ts';

/** Milliseconds after which a transfer is worth a line at all. */
const quiet = 1000;
const interval = 100;

export class Progress {
  readonly #context: Context;
  readonly #prefix: string;
  readonly #start = performance.now();
  readonly #onTerminal: boolean;
  #bytes = 0;
  #total: number | undefined;
  #shownAt = 0;
  #shownWidth = 0;

  /** @param prefix e.g. `Sent `. */
  constructor(context: Context, prefix: string) {
    this.#context = context;
    this.#prefix = prefix;
    this.#onTerminal = process.getBuiltinModule('node:tty').isatty(2);
  }

  /** @param bytes in all so far; @param total bytes, where it is known. */
  at(bytes: number, total?: number): void {
    this.#bytes = bytes;
    this.#total = total;
    const now = performance.now();
    if (!this.#onTerminal || now - this.#start < quiet || now - this.#shownAt < interval) return;
    this.#shownAt = now;
    this.#show();
  }

  more(bytes: number): void {
    this.at(this.#bytes + bytes, this.#total);
  }

  /** Ends the line; also after a failure. */
  end(): void {
    if (this.#shownWidth === 0 && performance.now() - this.#start < quiet) return;
    if (this.#onTerminal) {
      this.#show();
      this.#context.writeNote('\n');
    } else this.#context.note(this.#text());
  }

  #show(): void {
    const text = this.#text();
    this.#context.writeNote(`\r${text.padEnd(this.#shownWidth)}`);
    this.#shownWidth = text.length;
  }

  #text(): string {
    const seconds = (performance.now() - this.#start) / 1000;
    return this.#prefix + formatTransferProgress({ bytes: this.#bytes, totalBytes: this.#total, seconds });
  }
}
