/**
 * The guard (bundles.md §12.5): members of an archive become entries of a tree, and only that. Nothing is ever written under a
 * member's path, so a path can escape nowhere; one that tries is refused all the same, because the archive means to.
 */
import { Buffer } from 'node:buffer';
import { InvalidArchiveError, InvalidNameError } from '../errors.ts';
import { emptyDraft, type Draft, type DraftLink, type DraftTree } from '../tree/draft.ts';
import { decodeName, escapeBytes, nameProblem, targetProblem } from '../tree/names.ts';

/** What the deepest filesystem calls can still name. */
const longestPath = 4096;

export interface MemberPath {
  /** As the archive says it, for messages. */
  readonly shown: string;
  readonly components: readonly string[];
}

/**
 * `./x`, `x` and `x/` are the same; `..` is resolved on the text.
 * @throws InvalidArchiveError on absolute paths, paths that lead out, and names that contents cannot hold
 */
export function memberPath(name: Uint8Array | string): MemberPath {
  const shown = typeof name === 'string' ? name : escapeBytes(name);
  const text = typeof name === 'string' ? name : decoded(name);
  if (text === '') throw new InvalidArchiveError('a member of the archive has no name');
  if (text.startsWith('/')) throw refusal(text, 'its path is absolute');
  if (Buffer.byteLength(text) > longestPath) throw refusal(`${shown.slice(0, 80)}…`, 'its path is too long');
  const components: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (components.pop() === undefined) throw refusal(text, 'its path leads out of the archive');
      continue;
    }
    const problem = nameProblem(part);
    if (problem !== undefined) throw refusal(text, problem);
    components.push(part);
  }
  return { shown: text, components };
}

function decoded(name: Uint8Array): string {
  try {
    return decodeName(name);
  } catch (error) {
    if (error instanceof InvalidNameError)
      throw refusal(escapeBytes(name), 'its name is not valid UTF-8', error);
    throw error;
  }
}

export function refusal(entry: string, reason: string, cause?: unknown): InvalidArchiveError {
  return new InvalidArchiveError(reason, { entry, cause });
}

export class ArchiveTree {
  readonly root: DraftTree = emptyDraft();

  /** A directory that may be there already. */
  directory(path: MemberPath): void {
    this.#descend(path, path.components);
  }

  /** A file or link; a later one replaces an earlier one of the same name, but never a directory. */
  put(path: MemberPath, draft: Exclude<Draft, DraftTree>): void {
    const { parent, name } = this.#place(path);
    if (parent.children.get(name)?.kind === 'tree') throw refusal(path.shown, 'it is a directory already');
    parent.children.set(name, draft);
  }

  /** True where something has this path already. */
  has(path: MemberPath): boolean {
    return this.#find(path) !== undefined;
  }

  /** A second name for an earlier member. */
  hardLink(path: MemberPath, target: MemberPath): void {
    const found = this.#find(target);
    if (found === undefined)
      throw refusal(path.shown, `it is a hard link to ${target.shown}, which is not in the archive`);
    if (found.kind === 'tree') throw refusal(path.shown, `it is a hard link to ${target.shown}, a directory`);
    this.put(path, found);
  }

  #find(path: MemberPath): Draft | undefined {
    let here: Draft = this.root;
    for (const name of path.components) {
      if (here.kind !== 'tree') return undefined;
      const next = here.children.get(name);
      if (next === undefined) return undefined;
      here = next;
    }
    return here;
  }

  #place(path: MemberPath): { parent: DraftTree; name: string } {
    const name = path.components.at(-1);
    if (name === undefined) throw refusal(path.shown, 'the top of an archive must be a directory');
    return { parent: this.#descend(path, path.components.slice(0, -1)), name };
  }

  #descend(path: MemberPath, components: readonly string[]): DraftTree {
    let here = this.root;
    for (const name of components) {
      let next = here.children.get(name);
      if (next === undefined) {
        next = emptyDraft();
        here.children.set(name, next);
      }
      if (next.kind === 'link') throw refusal(path.shown, 'its path leads through a link of the archive');
      if (next.kind === 'file') throw refusal(path.shown, 'its path leads through a file');
      here = next;
    }
    return here;
  }
}

export function linkDraft(path: MemberPath, target: Uint8Array | string): DraftLink {
  let text: string;
  try {
    text = typeof target === 'string' ? target : decodeName(target);
  } catch (error) {
    throw refusal(path.shown, 'its target is not valid UTF-8', error);
  }
  const problem = targetProblem(text);
  if (problem !== undefined) throw refusal(path.shown, problem);
  return { kind: 'link', target: text };
}
