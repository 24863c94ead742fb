import { matchGlob, parseGlob, type Glob } from './glob.ts';

/**
 * Which files of a run's directory are left out of its results (bundles.md §8.3), as GNU tar reads `--exclude`: a pattern
 * may begin at any component, `*` also matches `/`, and what lies below a match is left out with it. The directory itself is
 * never left out and no wildcard stands for the `./` tar puts in front, so `.*` drops hidden files and not everything;
 * `./x` means the top-level `x`.
 *
 * @returns a test for paths relative to the run's directory, without a leading `./` or `/`.
 */
export function excludeMatcher(patterns: readonly string[]): (path: string) => boolean {
  const globs = patterns.filter((pattern) => pattern !== '').map((pattern) => globOf(pattern));
  return (path) => path !== '' && globs.some(({ glob, anchored }) => matchesPath(glob, anchored, path));
}

function globOf(pattern: string): { glob: Glob; anchored: boolean } {
  const anchored = pattern.startsWith('./') && pattern.length > 2;
  return { glob: parseGlob(anchored ? pattern.slice(2) : pattern), anchored };
}

function matchesPath(glob: Glob, anchored: boolean, path: string): boolean {
  // Ends: the path itself and each of its ancestors. Starts: each component.
  for (let start = 0; start >= 0; start = nextComponent(path, start)) {
    const rest = path.slice(start);
    for (let end = rest.length; end > 0; end = rest.lastIndexOf('/', end - 1)) {
      if (matchGlob(glob, rest.slice(0, end))) return true;
    }
    if (anchored) return false;
  }
  return false;
}

/** Where the component after the one at `start` begins, or -1. */
function nextComponent(path: string, start: number): number {
  const slash = path.indexOf('/', start);
  return slash < 0 ? -1 : slash + 1;
}
