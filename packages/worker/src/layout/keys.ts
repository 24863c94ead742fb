/** What the keys of a run's dependencies mean (execution.md §20.2). */
import { pathComponents } from '@sheaf/domain';

export type DependencyKey =
  /** The entries of the directory, each under its own name. */
  | { readonly kind: 'all' }
  /** A path in the run directory. */
  | { readonly kind: 'inside'; readonly components: readonly string[] }
  /** A path in the container's own filesystem. */
  | { readonly kind: 'absolute'; readonly path: string };

/** Undefined for keys that lead out of the place they are for: the server refuses them, and so does the worker. */
export function parseKey(text: string): DependencyKey | undefined {
  const components = pathComponents(text);
  if (components.includes('..') || text.includes('\0')) return undefined;
  if (text.startsWith('/')) {
    return components.length === 0 ? undefined : { kind: 'absolute', path: `/${components.join('/')}` };
  }
  return components.length === 0 ? { kind: 'all' } : { kind: 'inside', components };
}
