/** Removing what is small at once: a run of a moment leaves some dozen files, and waking another thread for each takes longer. */
import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Entries of a tree that is removed at once, and bytes of a file in it: more would keep everybody else waiting. */
const most = 100;
const largest = 4 * 1024 * 1024;

/**
 * Removes a directory with everything in it, or a file, if that is done in a moment. Links are removed, never followed. Answers whether
 * nothing is left; where something was not possible, or too much, some of it may be.
 */
export function removeIfSmall(path: string): boolean {
  try {
    return remove(path, { left: most });
  } catch {
    // Whoever removes what is left sees what is wrong.
    return false;
  }
}

function remove(path: string, budget: { left: number }): boolean {
  budget.left -= 1;
  if (budget.left < 0) return false;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return true;
  if (!found.isDirectory()) {
    if (found.isFile() && found.size > largest) return false;
    unlinkSync(path);
    return true;
  }
  for (const name of readdirSync(path)) {
    if (!remove(join(path, name), budget)) return false;
  }
  rmdirSync(path);
  return true;
}
