/*
 * What the filesystem says about a path and all below it, without reading a byte of a file: as long as it says the same, nothing was
 * written (decision 406).
 */
import { createHash } from 'node:crypto';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface LinkedStamp {
  /** Digest over names, kinds, sizes, times, inodes and targets of links. */
  readonly text: string;
  /** The latest change of anything, in milliseconds since the epoch. */
  readonly changedAt: number;
}

const atOnce = 32;

/** @throws the errors of the filesystem as they are: something may vanish meanwhile */
export async function stampOf(place: string): Promise<LinkedStamp> {
  const hash = createHash('sha256');
  let changedAt = 0;
  let level = [''];
  while (level.length > 0) {
    const next: string[] = [];
    for (let start = 0; start < level.length; start += atOnce) {
      const seen = await Promise.all(level.slice(start, start + atOnce).map((path) => look(place, path)));
      for (const { line, changed, children } of seen) {
        hash.update(line).update('\0');
        changedAt = Math.max(changedAt, changed);
        for (const child of children) next.push(child);
      }
    }
    level = next;
  }
  return { text: hash.digest('hex'), changedAt };
}

async function look(
  place: string,
  path: string,
): Promise<{ line: string; changed: number; children: string[] }> {
  const absolute = path === '' ? place : join(place, path);
  const stat = await lstat(absolute, { bigint: true });
  const facts = [path, stat.mode, stat.size, stat.mtimeNs, stat.ctimeNs, stat.dev, stat.ino];
  if (stat.isSymbolicLink()) facts.push(await readlink(absolute));
  const names = stat.isDirectory() ? (await readdir(absolute)).toSorted() : [];
  return {
    line: JSON.stringify(facts.map(String)),
    changed: Number((stat.mtimeNs > stat.ctimeNs ? stat.mtimeNs : stat.ctimeNs) / 1_000_000n),
    children: names.map((name) => (path === '' ? name : join(path, name))),
  };
}
