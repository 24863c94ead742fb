import { failure, success, type Outcome } from '../../outcome.ts';
import type { CharacterTest } from './characters.ts';
import type { Assertion, Pattern, PatternNode } from './syntax.ts';

/** A pattern as instructions of a machine that follows all alternatives at once (see `match.ts`). */
export type Instruction =
  | { kind: 'character'; test: CharacterTest }
  | { kind: 'assertion'; assertion: Assertion }
  /** Tries `first` before `second`. */
  | { kind: 'split'; first: number; second: number }
  | { kind: 'jump'; to: number }
  /** Notes the position; slots 2n and 2n+1 are the bounds of group n. */
  | { kind: 'save'; slot: number }
  | { kind: 'match' };

const longestProgram = 2000;

/** Compiles a pattern; counted repetitions are written out, and a pattern that grows too large is a problem. */
export function compilePattern(pattern: Pattern): Outcome<Instruction[]> {
  const program: Instruction[] = [];
  const fits = emit({ kind: 'group', node: pattern.node, number: 0 }, program);
  if (!fits) return failure('The pattern is too large');
  program.push({ kind: 'match' });
  return success(program);
}

function emit(node: PatternNode, program: Instruction[]): boolean {
  if (program.length > longestProgram) return false;
  switch (node.kind) {
    case 'character':
    case 'assertion':
      program.push(node);
      return true;
    case 'sequence':
      return node.nodes.every((part) => emit(part, program));
    case 'choice':
      return emitChoice(node.nodes, program);
    case 'group':
      program.push({ kind: 'save', slot: 2 * node.number });
      if (!emit(node.node, program)) return false;
      program.push({ kind: 'save', slot: 2 * node.number + 1 });
      return true;
    case 'repeat':
      return emitRepeat(node, program);
  }
}

function emitChoice(nodes: readonly PatternNode[], program: Instruction[]): boolean {
  const jumps: { kind: 'jump'; to: number }[] = [];
  for (const [position, node] of nodes.entries()) {
    if (position === nodes.length - 1) {
      if (!emit(node, program)) return false;
      continue;
    }
    const split = { kind: 'split' as const, first: program.length + 1, second: 0 };
    program.push(split);
    if (!emit(node, program)) return false;
    const jump = { kind: 'jump' as const, to: 0 };
    program.push(jump);
    jumps.push(jump);
    split.second = program.length;
  }
  for (const jump of jumps) jump.to = program.length;
  return true;
}

function emitRepeat(node: Extract<PatternNode, { kind: 'repeat' }>, program: Instruction[]): boolean {
  for (let count = 0; count < node.least; count += 1) {
    if (!emit(node.node, program)) return false;
  }
  if (node.most === Number.POSITIVE_INFINITY) {
    const start = program.length;
    const leave = emitSplit(node.greedy, program);
    if (!emit(node.node, program)) return false;
    program.push({ kind: 'jump', to: start });
    leave(program.length);
    return true;
  }
  const leaves: ((to: number) => void)[] = [];
  for (let count = node.least; count < node.most; count += 1) {
    leaves.push(emitSplit(node.greedy, program));
    if (!emit(node.node, program)) return false;
  }
  for (const leave of leaves) leave(program.length);
  return true;
}

/** A split between going on right here and leaving; the answer sets where leaving leads. */
function emitSplit(greedy: boolean, program: Instruction[]): (to: number) => void {
  const here = program.length + 1;
  const split = { kind: 'split' as const, first: here, second: here };
  program.push(split);
  return (to) => {
    if (greedy) split.second = to;
    else split.first = to;
  };
}
