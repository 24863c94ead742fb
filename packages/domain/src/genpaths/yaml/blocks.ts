import type { GenpathValue } from '../value.ts';
import { parseFlow } from './flow.ts';
import { checkPlain, NotYaml, readQuoted, resolveScalar } from './scalars.ts';

const deepest = 100;

/**
 * Reads one YAML document: mappings, sequences, flow collections, quoted, plain and block scalars. Whatever goes beyond (anchors,
 * tags, several documents) or is malformed answers undefined, and the file is plain text.
 */
export function parseYaml(text: string): GenpathValue | undefined {
  try {
    return new BlockReader(text).document();
  } catch (error) {
    if (error instanceof NotYaml) return undefined;
    throw error;
  }
}

class BlockReader {
  private readonly lines: string[];
  private at = 0;

  constructor(text: string) {
    this.lines = text.replaceAll('\r\n', '\n').split('\n');
  }

  document(): GenpathValue {
    this.skipIdle();
    if (/^---\s*$/.test(this.lines[this.at] ?? '')) this.at += 1;
    const value = this.node(0, 0);
    this.skipIdle();
    if (/^\.\.\.\s*$/.test(this.lines[this.at] ?? '')) this.at += 1;
    this.skipIdle();
    if (this.at < this.lines.length) throw new NotYaml();
    return value;
  }

  /** The value that begins on the next line, if that is indented by at least `least`. */
  private node(least: number, depth: number): GenpathValue {
    if (depth > deepest) throw new NotYaml();
    const line = this.peek();
    if (line === undefined || indentOf(line) < least) return null;
    const indent = indentOf(line);
    const content = line.slice(indent);
    if (isItem(content)) return this.sequence(indent, depth);
    if (splitEntry(content) !== undefined) return this.mapping(indent, depth);
    this.at += 1;
    return this.scalar(content, least, depth);
  }

  private sequence(indent: number, depth: number): GenpathValue[] {
    const items: GenpathValue[] = [];
    for (let line = this.peek(); line !== undefined && indentOf(line) === indent; line = this.peek()) {
      const content = line.slice(indent);
      if (!isItem(content)) break;
      const rest = content.slice(1).trimStart();
      if (rest === '' || rest.startsWith('#')) {
        this.at += 1;
        items.push(this.node(indent + 1, depth + 1));
        continue;
      }
      // What stands behind the dash is a node of its own, at the column where it stands.
      const column = indent + content.length - rest.length;
      this.lines[this.at] = ' '.repeat(column) + rest;
      items.push(this.node(indent + 1, depth + 1));
    }
    this.expectDedent(indent);
    return items;
  }

  private mapping(indent: number, depth: number): GenpathValue {
    const entries: [string, GenpathValue][] = [];
    for (let line = this.peek(); line !== undefined && indentOf(line) === indent; line = this.peek()) {
      const entry = splitEntry(line.slice(indent));
      if (entry === undefined) throw new NotYaml();
      this.at += 1;
      entries.push([entry.key, this.entryValue(entry.rest, indent, depth)]);
    }
    this.expectDedent(indent);
    return Object.fromEntries(entries);
  }

  private entryValue(rest: string, indent: number, depth: number): GenpathValue {
    if (rest !== '' && !rest.startsWith('#')) return this.scalar(rest, indent + 1, depth);
    const next = this.peek();
    // A sequence may stand at the column of the key it belongs to.
    if (next !== undefined && indentOf(next) === indent && isItem(next.slice(indent))) {
      return this.sequence(indent, depth + 1);
    }
    return this.node(indent + 1, depth + 1);
  }

  /** A scalar or flow collection whose first line was read; lines indented by at least `least` continue it. */
  private scalar(first: string, least: number, depth: number): GenpathValue {
    const header = /^([|>])([-+]?)\s*(?:#.*)?$/.exec(first);
    if (header !== null) return this.blockScalar(header[1] === '>', header[2] ?? '', least);
    if (/^["'[{]/.test(first)) return parseFlow([first, ...this.continuation(least)].join(' '));
    if (depth > deepest) throw new NotYaml();
    const start = withoutComment(first);
    if (start !== first.trimEnd()) return resolveScalar(checkPlain(start));
    return resolveScalar(foldLines([start, ...this.continuation(least)].map((line) => checkPlain(line))));
  }

  /** The following lines that are indented enough, without blanks around them. */
  private continuation(least: number): string[] {
    const lines: string[] = [];
    let line = this.lines[this.at];
    while (line !== undefined && (line.trim() === '' || (indentOf(line) >= least && !isMarker(line)))) {
      lines.push(line.trim());
      this.at += 1;
      line = this.lines[this.at];
    }
    while (lines.at(-1) === '') lines.pop();
    return lines;
  }

  private blockScalar(folded: boolean, chomping: string, least: number): string {
    const lines: string[] = [];
    let line = this.lines[this.at];
    let indent = -1;
    while (
      line !== undefined &&
      (line.trim() === '' || indentOf(line) >= (indent < 0 ? Math.max(1, least) : indent))
    ) {
      if (indent < 0 && line.trim() !== '') indent = indentOf(line);
      lines.push(line);
      this.at += 1;
      line = this.lines[this.at];
    }
    const texts = lines.map((text) => text.slice(Math.max(0, indent)));
    const kept = texts.join('\n').replace(/\n*$/, '');
    const body = folded ? foldLines(kept.split('\n')) : kept;
    return chomping === '-' || body === '' ? body : `${body}\n`;
  }

  /** The next line that says something, or undefined. */
  private peek(): string | undefined {
    this.skipIdle();
    const line = this.lines[this.at];
    return line === undefined || isMarker(line) ? undefined : line;
  }

  private skipIdle(): void {
    while (/^\s*(#.*)?$/.test(this.lines[this.at] ?? 'end')) this.at += 1;
  }

  private expectDedent(indent: number): void {
    const line = this.peek();
    if (line !== undefined && indentOf(line) > indent) throw new NotYaml();
  }
}

function indentOf(line: string): number {
  const indent = /^ */.exec(line)?.[0].length ?? 0;
  if (line[indent] === '\t') throw new NotYaml();
  return indent;
}

function isItem(content: string): boolean {
  return content === '-' || content.startsWith('- ');
}

function isMarker(line: string): boolean {
  return /^(---|\.\.\.)(\s|$)/.test(line);
}

function withoutComment(text: string): string {
  return text.replace(/\s#.*$/, '').trimEnd();
}

/** Line ends become blanks; empty lines become line ends. */
function foldLines(lines: readonly string[]): string {
  let folded = '';
  let empty = 0;
  for (const [position, line] of lines.entries()) {
    if (line === '') empty += 1;
    else {
      const joint = empty > 0 ? '\n'.repeat(empty) : ' ';
      folded += position === 0 ? line : joint + line;
      empty = 0;
    }
  }
  return folded;
}

/** `key: rest`, or undefined when the line is no entry of a mapping. */
function splitEntry(content: string): { key: string; rest: string } | undefined {
  if (/^["']/.test(content)) {
    const { value, end } = readQuotedKey(content);
    const colon = /^\s*:(?:\s+|$)/.exec(content.slice(end));
    return colon === null ? undefined : { key: value, rest: content.slice(end + colon[0].length).trimEnd() };
  }
  if (/^[[{]/.test(content)) return undefined;
  const colon = /:(?:\s|$)/.exec(withoutComment(content));
  if (colon === null) return undefined;
  return {
    key: checkPlain(content.slice(0, colon.index).trimEnd()),
    rest: content.slice(colon.index + 1).trim(),
  };
}

function readQuotedKey(content: string): { value: string; end: number } {
  try {
    return readQuoted(content, 0);
  } catch (error) {
    // A quoted scalar that goes on in the next line is no key.
    if (error instanceof NotYaml) return { value: '', end: content.length };
    throw error;
  }
}
