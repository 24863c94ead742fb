/** What determines the result of a run, as one text: equal texts mean that the result can be taken instead of running again. */
import { joinPaths } from '../dependencies/key-path.ts';

/** The programs a command finds around it. */
export type ActionEnvironment =
  /** SHA-256 of the image, whatever names it goes by. */
  | { readonly kind: 'image'; readonly digest: string }
  /** No image: the programs of one machine, which nobody can take from elsewhere. */
  | { readonly kind: 'host'; readonly host: string }
  /** Not known yet: what a run asked for. Comparable only with what others ask for. */
  | { readonly kind: 'requested'; readonly image: string; readonly named: boolean };

export interface ActionInput {
  /** Where the command finds it: the dependency's `child_path`. */
  readonly key: string;
  /** The answer of `inputContents`, or of `pendingContents` for what has none yet. */
  readonly contents: string;
}

/**
 * Everything that a result depends on. How much memory, time, disk and how many cores a run may have is not among it: a run
 * that ended well had enough of them.
 */
export interface Action {
  readonly environment: ActionEnvironment;
  readonly command: string;
  /** Whether the command may reach the network. */
  readonly network: boolean;
  /** Whether the command sees a GPU: programs do something else then. How many is a matter of speed. */
  readonly gpus: boolean;
  /** What is left out of the results. */
  readonly excludePatterns: readonly string[];
  readonly inputs: readonly ActionInput[];
}

/** Part of every text, so that keys of a later form are never taken for keys of this one. */
const form = 'sheaf-action-1';

/**
 * The one text of an action (docs/decisions/0721-action-key.md). It does not depend on the order of inputs and patterns, nor on
 * ways to write the same key; names and uuids of bundles are no part of it.
 */
export function canonicalAction(action: Action): string {
  const inputs = action.inputs
    .map(({ key, contents }): [string, string] => [canonicalKey(key), contents])
    .toSorted(([one], [other]) => compare(one, other));
  return JSON.stringify([
    form,
    environmentText(action.environment),
    action.command,
    { network: action.network, gpus: action.gpus },
    [...new Set(action.excludePatterns)].toSorted(compare),
    inputs,
  ]);
}

/** The action key. @param sha256 of a text in UTF-8, in lower-case hexadecimal */
export function actionKey(action: Action, sha256: (text: string) => string): string {
  return sha256(canonicalAction(action));
}

function environmentText(environment: ActionEnvironment): readonly string[] {
  switch (environment.kind) {
    case 'image':
      return ['image', environment.digest];
    case 'host':
      return ['host', environment.host];
    case 'requested':
      return ['requested', environment.image, environment.named ? 'named' : 'default'];
  }
}

/** `./a//b/` and `a/b` are one place; `.` is the directory itself, `/a` a place outside of it. */
function canonicalKey(key: string): string {
  const path = joinPaths(key);
  if (key.startsWith('/')) return `/${path}`;
  return path === '' ? '.' : path;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** What an input is, by contents: the same data in another bundle are the same input. */
export function inputContents(
  entry:
    | { readonly kind: 'file'; readonly digest: string; readonly executable: boolean }
    | { readonly kind: 'tree'; readonly digest: string }
    | { readonly kind: 'link'; readonly target: string },
): string {
  switch (entry.kind) {
    case 'file':
      return `${entry.executable ? 'program' : 'file'} ${entry.digest}`;
    case 'tree':
      return `tree ${entry.digest}`;
    case 'link':
      return `link ${entry.target}`;
  }
}

/** An input that has no contents yet: only the very same one is equal to it. */
export function pendingContents(parentUuid: string, parentPath: string): string {
  return `pending ${parentUuid}/${joinPaths(parentPath)}`;
}

/** The SHA-256 in an image reference or id (`name@sha256:…`, `sha256:…`); undefined where there is none. */
export function imageDigest(reference: string): string | undefined {
  return /(?:^|@)(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
}
