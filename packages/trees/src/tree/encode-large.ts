/** Encodes directories of very many entries in short stretches: sorting a million names at once takes seconds. */
import { Buffer } from 'node:buffer';
import { Breather } from './breathe.ts';
import { encodeEntries, encodeTree, sortEntries, treeVersion } from './encode.ts';
import type { NamedEntry } from './entry.ts';
import { compareNames } from './names.ts';

const stretch = 5000;

/** The same as `encodeTree`, while the rest of the process goes on. */
export async function encodeLargeTree(entries: readonly NamedEntry[]): Promise<Buffer> {
  if (entries.length <= stretch) return encodeTree(entries);
  const breather = new Breather();
  const sorted = await sortInStretches(entries, breather);
  const parts: Buffer[] = [Buffer.from([treeVersion])];
  for (let at = 0; at < sorted.length; at += stretch) {
    parts.push(encodeEntries(sorted.slice(at, at + stretch), sorted[at - 1]?.name));
    if (breather.due) await breather.rest();
  }
  return Buffer.concat(parts);
}

async function sortInStretches(
  entries: readonly NamedEntry[],
  breather: Breather,
): Promise<readonly NamedEntry[]> {
  let runs: (readonly NamedEntry[])[] = [];
  for (let at = 0; at < entries.length; at += stretch) {
    runs.push(sortEntries(entries.slice(at, at + stretch)));
    if (breather.due) await breather.rest();
  }
  while (runs.length > 1) {
    const merged: (readonly NamedEntry[])[] = [];
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(await merge(runs[at] ?? [], runs[at + 1] ?? [], breather));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(
  a: readonly NamedEntry[],
  b: readonly NamedEntry[],
  breather: Breather,
): Promise<readonly NamedEntry[]> {
  const merged: NamedEntry[] = [];
  let left = 0;
  let right = 0;
  for (;;) {
    const first = a[left];
    const second = b[right];
    if (first === undefined && second === undefined) return merged;
    if (second === undefined || (first !== undefined && compareNames(first.name, second.name) <= 0)) {
      if (first !== undefined) merged.push(first);
      left += 1;
    } else {
      merged.push(second);
      right += 1;
    }
    if (merged.length % stretch === 0 && breather.due) await breather.rest();
  }
}
