/**
 * Where a directory store keeps what:
 *   blobs/ab/cdef…        a blob, read-only, under its digest
 *   executables/ab/cdef…  a second copy of a blob that may be executed, made on demand
 *   partial/              blobs that arrive in pieces
 *   temp/                 what is being written; whatever a crash leaves is here
 */
import { syncPath } from './sync-path.ts';
import { existsSync, mkdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../tree/entry.ts';
import { digestOf } from '../../tree/digest.ts';

export const emptyDigest = digestOf(new Uint8Array());
const fans = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));

export class Layout {
  readonly root: string;
  readonly blobs: string;
  readonly executables: string;
  readonly partial: string;
  readonly temp: string;

  constructor(root: string) {
    this.root = root;
    this.blobs = join(root, 'blobs');
    this.executables = join(root, 'executables');
    this.partial = join(root, 'partial');
    this.temp = join(root, 'temp');
  }

  get fans(): readonly string[] {
    return fans;
  }

  blob(digest: Digest): string {
    return `${this.blobs}/${digest.slice(0, 2)}/${digest.slice(2)}`;
  }

  executable(digest: Digest): string {
    return `${this.executables}/${digest.slice(0, 2)}/${digest.slice(2)}`;
  }

  /** Makes the directories; safe to call on a store that is in use. */
  async create(): Promise<void> {
    for (const directory of [this.blobs, this.partial, this.temp])
      await mkdir(directory, { recursive: true });
    const last = join(this.blobs, fans.at(-1) ?? '');
    if (existsSync(last)) return;
    for (const fan of fans) mkdirSync(join(this.blobs, fan), { recursive: true });
    // Else a power cut could take a directory away from under blobs that were made durable.
    for (const directory of [this.blobs, this.root]) await syncPath(directory);
  }
}

/** An empty file under another digest is what a power cut leaves of one that was never made durable: it is not there. */
export function soundSize(digest: Digest, size: number): number | undefined {
  if (size < 0 || (size === 0 && digest !== emptyDigest)) return undefined;
  return size;
}
