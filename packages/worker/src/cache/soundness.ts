/** Finds out whether what the cache holds is still what it was. */
import { hashDirectory, hashFile } from '@sheaf/trees';
import { systemCode } from '../errors.ts';
import type { CacheableEntry } from './entry-name.ts';
import { lookOver, type Look } from './look.ts';

export interface SoundnessOptions {
  /** Hash everything at every use. */
  readonly verify: boolean;
}

/** Larger trees are believed in for a while after each look, smaller ones are looked over at every use. */
const quicklyLookedOver = 1000;
/** A look is believed for this many times as long as it took. */
const beliefFactor = 1000;

export type Verdict = { readonly sound: false } | { readonly sound: true; readonly fingerprint: string };

export class Soundness {
  readonly #verify: boolean;
  readonly #believed = new Map<string, { readonly until: number; readonly verdict: Verdict }>();

  constructor(options: SoundnessOptions) {
    this.#verify = options.verify;
  }

  /**
   * Compares an entry with what it should be: number and sizes of its files, then everything else that can be seen without reading
   * them. What differs from the last time, although the sizes are right, is hashed: a time may have changed for a good reason.
   * @param known the fingerprint of the last time; null where there was none
   */
  async judge(
    name: string,
    path: string,
    entry: CacheableEntry,
    known: string | null,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const believed = this.#believed.get(name);
    if (believed !== undefined && believed.until > performance.now()) return believed.verdict;
    const began = performance.now();
    const verdict = await this.#judge(path, entry, known, signal);
    const took = performance.now() - began;
    const large = entry.kind === 'tree' && entry.files > quicklyLookedOver;
    if (verdict.sound && large && !this.#verify) {
      this.#believed.set(name, { until: performance.now() + took * beliefFactor, verdict });
    } else this.forget(name);
    return verdict;
  }

  /** The next judgement takes a look. */
  forget(name: string): void {
    this.#believed.delete(name);
  }

  async #judge(
    path: string,
    entry: CacheableEntry,
    known: string | null,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const look = await lookIfThere(path);
    const files = entry.kind === 'tree' ? entry.files : 1;
    if (look === undefined || look.size !== entry.size || look.files !== files) return { sound: false };
    const unchanged = known === null || known === look.fingerprint;
    if (!this.#verify && unchanged) return { sound: true, fingerprint: look.fingerprint };
    if (!(await hashesTo(path, entry, signal))) return { sound: false };
    return { sound: true, fingerprint: look.fingerprint };
  }
}

/** Undefined where something is missing or cannot be read: then it is of no use, whatever the reason. */
async function lookIfThere(path: string): Promise<Look | undefined> {
  try {
    return await lookOver(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

async function hashesTo(path: string, entry: CacheableEntry, signal: AbortSignal): Promise<boolean> {
  try {
    if (entry.kind === 'file') {
      const { digest, executable } = await hashFile(path, { signal });
      return digest === entry.digest && executable === entry.executable;
    }
    const { root } = await hashDirectory(path, { signal });
    return root.kind === 'tree' && root.digest === entry.digest;
  } catch {
    // Names that contents cannot have, files that are written to, disks that fail: not what it was.
    signal.throwIfAborted();
    return false;
  }
}
