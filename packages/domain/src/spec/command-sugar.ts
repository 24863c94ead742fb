import { failure, success, type Outcome } from '../outcome.ts';
import { parseTarget, splitKey } from './target-spec.ts';

/** A dependency as typed: where it appears in the run, and the target it stands for (not yet resolved). */
export interface TypedDependency {
  key: string;
  target: string;
}

export interface RewrittenCommand {
  dependencies: TypedDependency[];
  command: string;
}

const inlineTarget = /%%|%([^%\n]+)%/g;

/**
 * Gives every target of `cl run` its key and replaces each `%target%` of the command by that key (cli.md §4.8,
 * bundles.md §11.1). `%%` stays as it is and is never part of a target; a target does not reach over a line's end, and
 * lines after it are rewritten too.
 */
export function rewriteCommand(targets: readonly string[], command: string): Outcome<RewrittenCommand> {
  const dependencies: TypedDependency[] = [];
  let problem: string | undefined;
  const keyOf = (spec: string): string => {
    const added = addDependency(dependencies, spec);
    if (added.ok) return added.value;
    problem ??= added.problem;
    return spec;
  };
  for (const target of targets) keyOf(target);
  const rewritten = command.replace(inlineTarget, (whole: string, target: string | undefined) =>
    target === undefined ? whole : keyOf(target),
  );
  return problem === undefined ? success({ dependencies, command: rewritten }) : failure(problem);
}

/** Adds the dependency unless it is there already, and answers its key. */
function addDependency(dependencies: TypedDependency[], spec: string): Outcome<string> {
  const { key: typed, target } = splitKey(spec);
  const parsed = parseTarget(target);
  if (!parsed.ok)
    return failure(`'${spec}' names no bundle: the form is [<key>:][<worksheet>//]<bundle>[/<subpath>]`);
  const key =
    typed === undefined
      ? (dependencies.find((known) => known.target === target)?.key ?? `b${dependencies.length + 1}`)
      : typed === ''
        ? (parsed.value.subpath ?? parsed.value.bundle)
        : typed;
  const known = dependencies.find((dependency) => dependency.key === key);
  if (known === undefined) dependencies.push({ key, target });
  else if (known.target !== target) {
    return failure(`key ${key} exists with multiple values: ${known.target} and ${target}`);
  }
  return success(key);
}
