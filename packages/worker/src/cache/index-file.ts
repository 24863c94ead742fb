/** What is in the cache, kept on disk so that it survives the worker. */
import type { Entry } from '@sheaf/trees';
import { entry } from '@sheaf/wire';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { systemCode } from '../errors.ts';
import { writeWhole } from '../files.ts';

const cachedEntry = z.object({
  entry,
  /** Milliseconds since the epoch. */
  usedAt: z.number(),
  /** Bundle and path of the dependencies it stood for. */
  keys: z.array(z.tuple([z.string(), z.string()])),
  /** How it looked when it was last known to be sound; see look.ts. */
  fingerprint: z.string().nullable().default(null),
});
const indexFile = z.object({ version: z.literal(1), entries: z.record(z.string(), cachedEntry) });

export interface CachedEntry {
  readonly entry: Entry;
  usedAt: number;
  readonly keys: [string, string][];
  fingerprint: string | null;
}

/** An unreadable index counts as empty: what it listed is downloaded again. */
export async function readIndex(path: string): Promise<Map<string, CachedEntry>> {
  try {
    const { entries } = indexFile.parse(JSON.parse(await readFile(path, 'utf8')));
    return new Map(Object.entries(entries));
  } catch (error) {
    const unreadable = error instanceof SyntaxError || error instanceof z.ZodError;
    if (unreadable || ['ENOENT', 'EISDIR'].includes(systemCode(error) ?? '')) return new Map();
    throw error;
  }
}

export async function writeIndex(path: string, entries: ReadonlyMap<string, CachedEntry>): Promise<void> {
  await writeWhole(path, JSON.stringify({ version: 1, entries: Object.fromEntries(entries) }));
}
