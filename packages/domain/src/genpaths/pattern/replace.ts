import { failure, success, type Outcome } from '../../outcome.ts';
import { findMatch, type MatchBounds, type StepBudget } from './match.ts';
import { compilePattern } from './program.ts';
import { parsePattern, type Pattern } from './syntax.ts';

const steps = 20_000_000;

/**
 * Replaces every match of a regular expression, as Python's `re.sub` does; `\1` and `\g<name>` in the replacement stand for
 * groups. Pattern and text are anybody's, so the work is bounded: what takes too long is a problem.
 */
export function replaceAllMatches(pattern: string, replacement: string, text: string): Outcome<string> {
  const parsed = parsePattern(pattern);
  if (!parsed.ok) return parsed;
  const program = compilePattern(parsed.value);
  if (!program.ok) return program;
  const template = parseTemplate(replacement, parsed.value);
  if (!template.ok) return template;
  const characters = Array.from(text);
  const budget: StepBudget = { left: steps };
  let output = '';
  let position = 0;
  let afterEmpty = false;
  for (;;) {
    // Right after an empty match another one would be found for ever: the next must be longer or begin later.
    const match = findMatch(program.value, characters, position, { budget, forbidEmpty: afterEmpty });
    if (match === 'exhausted') return failure(`Pattern ${pattern} takes too long`);
    if (match === undefined) break;
    const [start = 0, end = 0] = match;
    output += characters.slice(position, start).join('') + fill(template.value, match, characters);
    afterEmpty = start === end;
    position = end;
  }
  return success(output + characters.slice(position).join(''));
}

/** Literal texts and numbers of groups. */
type Template = readonly (string | number)[];

function parseTemplate(replacement: string, pattern: Pattern): Outcome<Template> {
  const template: (string | number)[] = [];
  const parts = /\\(?:g<(\w+)>|(\d{1,2})|([^]))|([^\\]+|\\)/g;
  for (const [, name, digits, escaped, literal] of replacement.matchAll(parts)) {
    if (literal !== undefined) template.push(literal);
    else if (escaped !== undefined) template.push(escapedText(escaped));
    else {
      const written = name ?? digits ?? '';
      const group = /^\d+$/.test(written) ? Number(written) : pattern.groupNames.get(written);
      if (group === undefined || group > pattern.groups) return failure(`There is no group ${written}`);
      template.push(group);
    }
  }
  return success(template);
}

function escapedText(letter: string): string {
  const controls: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\' };
  return controls[letter] ?? (/[a-zA-Z]/.test(letter) ? `\\${letter}` : letter);
}

function fill(template: Template, match: MatchBounds, characters: readonly string[]): string {
  return template
    .map((part) => {
      if (typeof part === 'string') return part;
      const start = match[2 * part] ?? -1;
      const end = match[2 * part + 1] ?? -1;
      return start < 0 || end < 0 ? '' : characters.slice(start, end).join('');
    })
    .join('');
}
