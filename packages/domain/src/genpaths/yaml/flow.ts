import type { GenpathValue } from '../value.ts';
import { checkPlain, NotYaml, readQuoted, resolveScalar } from './scalars.ts';

const deepest = 100;

/** Reads a text that begins with a quote, `[` or `{` and must end with it, a comment aside. */
export function parseFlow(text: string): GenpathValue {
  const reader = new FlowReader(text);
  const value = reader.value(0);
  reader.expectEnd();
  return value;
}

class FlowReader {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  value(depth: number): GenpathValue {
    if (depth > deepest) throw new NotYaml();
    this.skipBlanks();
    const character = this.text[this.at];
    if (character === '[') return this.sequence(depth);
    if (character === '{') return this.mapping(depth);
    if (character === '"' || character === "'") return this.quoted();
    return resolveScalar(this.plain());
  }

  expectEnd(): void {
    this.skipBlanks();
    if (this.at < this.text.length && this.text[this.at] !== '#') throw new NotYaml();
  }

  private sequence(depth: number): GenpathValue[] {
    const items: GenpathValue[] = [];
    this.at += 1;
    while (!this.take(']')) {
      items.push(this.value(depth + 1));
      if (this.take(']')) break;
      if (!this.take(',')) throw new NotYaml();
    }
    return items;
  }

  private mapping(depth: number): GenpathValue {
    const entries: [string, GenpathValue][] = [];
    this.at += 1;
    while (!this.take('}')) {
      this.skipBlanks();
      const isQuoted = this.text[this.at] === '"' || this.text[this.at] === "'";
      const key = isQuoted ? this.quoted() : this.plain();
      entries.push([key, this.take(':') ? this.value(depth + 1) : null]);
      if (this.take('}')) break;
      if (!this.take(',')) throw new NotYaml();
    }
    return Object.fromEntries(entries);
  }

  private quoted(): string {
    const { value, end } = readQuoted(this.text, this.at);
    this.at = end;
    return value;
  }

  private plain(): string {
    const match = /^(?:[^,[\]{}:#]|:(?![\s,[\]{}]|$)|(?<!\s)#)*/.exec(this.text.slice(this.at));
    const plain = match?.[0] ?? '';
    this.at += plain.length;
    if (plain.trim() === '' && !/^[,}\]:]/.test(this.text.slice(this.at))) throw new NotYaml();
    return checkPlain(plain.trim());
  }

  private take(character: string): boolean {
    this.skipBlanks();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private skipBlanks(): void {
    while (/^\s$/.test(this.text[this.at] ?? '')) this.at += 1;
  }
}
