import { failure, success, type Outcome } from '../../outcome.ts';
import { characterEscape, parseClass, shorthand, type CharacterTest } from './characters.ts';

/** A regular expression of Python's kind, as a tree. Look-around, back-references and flags are not part of it. */
export type PatternNode =
  | { kind: 'character'; test: CharacterTest }
  | { kind: 'sequence'; nodes: readonly PatternNode[] }
  | { kind: 'choice'; nodes: readonly PatternNode[] }
  | { kind: 'group'; node: PatternNode; number: number }
  | { kind: 'repeat'; node: PatternNode; least: number; most: number; greedy: boolean }
  | { kind: 'assertion'; assertion: Assertion };

export type Assertion = 'start' | 'end' | 'very-end' | 'word-boundary' | 'no-word-boundary';

export interface Pattern {
  node: PatternNode;
  groups: number;
  groupNames: ReadonlyMap<string, number>;
}

class SyntaxProblem extends Error {}

/** Reads a pattern; the problem says what is not understood. */
export function parsePattern(text: string): Outcome<Pattern> {
  try {
    const parser = new Parser(text);
    const node = parser.choice();
    if (parser.rest() !== '') throw new SyntaxProblem('unbalanced )');
    return success({ node, groups: parser.groups, groupNames: parser.groupNames });
  } catch (error) {
    if (error instanceof SyntaxProblem) return failure(`Pattern ${text}: ${error.message}`);
    throw error;
  }
}

class Parser {
  readonly groupNames = new Map<string, number>();
  groups = 0;
  private at = 0;
  private depth = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  rest(): string {
    return this.text.slice(this.at);
  }

  choice(): PatternNode {
    const nodes = [this.sequence()];
    while (this.take('|')) nodes.push(this.sequence());
    return nodes.length === 1 && nodes[0] !== undefined ? nodes[0] : { kind: 'choice', nodes };
  }

  private sequence(): PatternNode {
    const nodes: PatternNode[] = [];
    while (this.at < this.text.length && !this.sees('|') && !this.sees(')')) nodes.push(this.repeated());
    return { kind: 'sequence', nodes };
  }

  private repeated(): PatternNode {
    const node = this.single();
    const counts = this.counts();
    if (counts === undefined) return node;
    const greedy = !this.take('?');
    if (this.sees('*') || this.sees('+') || this.sees('?')) throw new SyntaxProblem('multiple repeat');
    return { kind: 'repeat', node, ...counts, greedy };
  }

  private counts(): { least: number; most: number } | undefined {
    if (this.take('*')) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (this.take('+')) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (this.take('?')) return { least: 0, most: 1 };
    // Braces that hold no counts are literal.
    const braces = /^\{(?:(\d{1,4})(,)?(\d{0,4})|,(\d{1,4}))\}/.exec(this.rest());
    if (braces === null) return undefined;
    this.at += braces[0].length;
    const least = Number(braces[1] ?? 0);
    const written = braces[4] ?? braces[3] ?? '';
    const unbounded = braces[2] === undefined ? least : Number.POSITIVE_INFINITY;
    const most = written === '' ? unbounded : Number(written);
    if (most < least) throw new SyntaxProblem('min repeat greater than max repeat');
    return { least, most };
  }

  private single(): PatternNode {
    const character = Array.from(this.rest().slice(0, 2))[0] ?? '';
    this.at += character.length;
    switch (character) {
      case '(':
        return this.group();
      case '[': {
        const parsed = parseClass(this.text, this.at);
        if (parsed === undefined) throw new SyntaxProblem('unterminated character set');
        this.at = parsed.end;
        return { kind: 'character', test: parsed.test };
      }
      case '.':
        return { kind: 'character', test: (tested) => tested !== '\n' };
      case '^':
        return { kind: 'assertion', assertion: 'start' };
      case '$':
        return { kind: 'assertion', assertion: 'end' };
      case '\\':
        return this.escape();
      case '*':
      case '+':
      case '?':
        throw new SyntaxProblem('nothing to repeat');
      default:
        return { kind: 'character', test: (tested) => tested === character };
    }
  }

  private group(): PatternNode {
    this.depth += 1;
    if (this.depth > 50) throw new SyntaxProblem('groups are nested too deeply');
    const named = /^\?P<([a-zA-Z_]\w*)>/.exec(this.rest());
    const captures = named !== null || !this.take('?:');
    if (named !== null) this.at += named[0].length;
    else if (captures && this.sees('?')) throw new SyntaxProblem('this kind of group is not supported');
    let number = 0;
    if (captures) {
      this.groups += 1;
      number = this.groups;
      if (named?.[1] !== undefined) this.groupNames.set(named[1], number);
    }
    const node = this.choice();
    if (!this.take(')')) throw new SyntaxProblem('missing )');
    this.depth -= 1;
    return captures ? { kind: 'group', node, number } : node;
  }

  private escape(): PatternNode {
    const letter = this.text[this.at] ?? '';
    const assertions: Readonly<Record<string, Assertion>> = {
      A: 'start',
      Z: 'very-end',
      b: 'word-boundary',
      B: 'no-word-boundary',
    };
    const assertion = assertions[letter];
    if (assertion !== undefined) {
      this.at += 1;
      return { kind: 'assertion', assertion };
    }
    const test = shorthand(letter);
    if (test !== undefined) {
      this.at += 1;
      return { kind: 'character', test };
    }
    const escaped = characterEscape(this.text, this.at);
    if (escaped === undefined) throw new SyntaxProblem(`\\${letter} is not supported`);
    this.at = escaped.end;
    return { kind: 'character', test: (tested) => tested === escaped.character };
  }

  private sees(text: string): boolean {
    return this.text.startsWith(text, this.at);
  }

  private take(text: string): boolean {
    if (!this.sees(text)) return false;
    this.at += text.length;
    return true;
  }
}
