import { isName } from './ids.ts';

/** The pattern of names, as messages quote it (bundles.md §2.2). */
export const namePatternText = '^[a-zA-Z_][a-zA-Z0-9_.\\-]*$';

export type NamedKind = 'bundle' | 'worksheet' | 'group' | 'user';

/** What is wrong with a name, or undefined when it is fine (bundles.md §2.2). */
export function nameProblem(kind: NamedKind, name: string): string | undefined {
  if (name === '') return `${kind[0]?.toUpperCase()}${kind.slice(1)}s must have non-empty names`;
  if (!isName(name)) return `Invalid ${kind} name: ${name}, must match ${namePatternText}`;
  return undefined;
}
