import { isWordCharacter } from './characters.ts';
import type { Instruction } from './program.ts';
import type { Assertion } from './syntax.ts';

/** Bounds of the match and its groups, as positions in the characters; -1 for groups that took no part. */
export type MatchBounds = readonly number[];

interface Thread {
  at: number;
  bounds: MatchBounds;
}

/** Counts down the work a pattern may cause, whoever wrote it. */
export interface StepBudget {
  left: number;
}

/**
 * The first match at or after a position, by following every alternative at once: the time is at most proportional to the
 * lengths of pattern and text multiplied, however the pattern is nested.
 *
 * @param options.forbidEmpty passes over an empty match at `start` itself.
 * @returns undefined when there is no match, `'exhausted'` when the budget did not suffice.
 */
export function findMatch(
  program: readonly Instruction[],
  characters: readonly string[],
  start: number,
  options: { budget: StepBudget; forbidEmpty: boolean },
): MatchBounds | undefined | 'exhausted' {
  const { budget, forbidEmpty } = options;
  const slots = 2 + 2 * program.reduce((most, instruction) => Math.max(most, groupOf(instruction)), 0);
  const unset: MatchBounds = Array.from({ length: slots }, () => -1);
  let threads: Thread[] = [];
  let found: MatchBounds | undefined;
  for (let position = start; position <= characters.length; position += 1) {
    // Earlier starts come first, so new ones join behind, and none once something was found.
    const current = follow(program, characters, position, threads, found === undefined ? unset : undefined);
    budget.left -= current.length + program.length;
    if (budget.left < 0) return 'exhausted';
    threads = [];
    for (const { at, bounds } of current) {
      const instruction = program[at];
      if (instruction?.kind === 'match') {
        if (forbidEmpty && position === start) continue;
        found = bounds;
        // What is left has less right to match than this.
        break;
      }
      const character = characters[position];
      if (instruction?.kind === 'character' && character !== undefined && instruction.test(character)) {
        threads.push({ at: at + 1, bounds });
      }
    }
    if (threads.length === 0 && found !== undefined) return found;
  }
  return found;
}

function groupOf(instruction: Instruction): number {
  return instruction.kind === 'save' ? Math.floor(instruction.slot / 2) : 0;
}

/** Threads at the instructions that look at a character (or match), in order of preference, each instruction once. */
function follow(
  program: readonly Instruction[],
  characters: readonly string[],
  position: number,
  threads: readonly Thread[],
  fresh: MatchBounds | undefined,
): Thread[] {
  const reached = new Set<number>();
  const waiting: Thread[] = [];
  const stack = [...threads];
  if (fresh !== undefined) stack.push({ at: 0, bounds: fresh });
  stack.reverse();
  for (let thread = stack.pop(); thread !== undefined; thread = stack.pop()) {
    const { at, bounds } = thread;
    if (reached.has(at)) continue;
    reached.add(at);
    const instruction = program[at];
    switch (instruction?.kind) {
      case 'jump':
        stack.push({ at: instruction.to, bounds });
        break;
      case 'split':
        stack.push({ at: instruction.second, bounds }, { at: instruction.first, bounds });
        break;
      case 'save':
        stack.push({ at: at + 1, bounds: bounds.with(instruction.slot, position) });
        break;
      case 'assertion':
        if (holds(instruction.assertion, characters, position)) stack.push({ at: at + 1, bounds });
        break;
      case 'character':
      case 'match':
        waiting.push(thread);
        break;
      case undefined:
        break;
    }
  }
  return waiting;
}

function holds(assertion: Assertion, characters: readonly string[], position: number): boolean {
  const atEnd = position === characters.length;
  switch (assertion) {
    case 'start':
      return position === 0;
    case 'very-end':
      return atEnd;
    case 'end':
      return atEnd || (position === characters.length - 1 && characters[position] === '\n');
    case 'word-boundary':
      return isBoundary(characters, position);
    case 'no-word-boundary':
      return !isBoundary(characters, position);
  }
}

function isBoundary(characters: readonly string[], position: number): boolean {
  return isWordCharacter(characters[position - 1] ?? '') !== isWordCharacter(characters[position] ?? '');
}
