/** One line for the user from what several parts of the preparation wait for. */
export class StatusLine {
  readonly #say: (text: string) => void;
  readonly #parts = new Map<string, string>();
  #said = '';

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  /** Takes the words of one part; empty ones mean that it waits for nothing. */
  part(name: string): (text: string) => void {
    return (text) => {
      if (text === '') this.#parts.delete(name);
      else this.#parts.set(name, text);
      const line = [...this.#parts.values()].join('; ');
      if (line === this.#said) return;
      this.#said = line;
      this.#say(line);
    };
  }
}
