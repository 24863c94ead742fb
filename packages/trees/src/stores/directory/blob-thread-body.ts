/**
 * What the store's thread does: hash, and handle many small files with synchronous calls, which is several times faster than
 * asynchronous ones and would block the event loop anywhere else.
 *
 * The function is handed to the thread as its own source text, so that a bundled program needs no second file. It must
 * therefore use nothing but its parameters.
 */
import type * as Crypto from 'node:crypto';
import type * as FileSystem from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import type { FailedPlacement } from '../blob-store.ts';

export interface ThreadSettings {
  readonly blobs: string;
  readonly temp: string;
  /** Begins the names of temporary files; no other thread or process has the same. */
  readonly prefix: string;
}

export type ThreadJob =
  /** Blobs laid end to end. Answers their digests, and which of them were not there before. */
  | { readonly kind: 'put'; readonly bytes: ArrayBuffer; readonly lengths: readonly number[] }
  /** Answers sizes, or -1 where there is no such blob, and makes those that are there young again. */
  | { readonly kind: 'claim'; readonly digests: readonly string[] }
  /** Answers the bytes laid end to end, and their lengths: -1 where there is no such blob. */
  | { readonly kind: 'read'; readonly digests: readonly string[] }
  | { readonly kind: 'list'; readonly fan: string }
  | { readonly kind: 'check'; readonly digest: string }
  | {
      readonly kind: 'hash';
      readonly stream: number;
      readonly bytes: SharedArrayBuffer;
      readonly length: number;
    }
  | { readonly kind: 'digest'; readonly stream: number }
  | { readonly kind: 'forget'; readonly stream: number }
  /** Makes directories and links in their order. Answers those that failed, with the codes of the system. */
  | { readonly kind: 'place'; readonly placements: readonly ThreadPlacement[] };

export type ThreadAnswer<Kind extends ThreadJob['kind']> = {
  put: { digests: string[]; fresh: number[] };
  claim: number[];
  read: { bytes: ArrayBuffer; lengths: number[] };
  list: { digests: string[]; sizes: number[]; times: number[] };
  check: string;
  hash: undefined;
  digest: string;
  forget: undefined;
  place: FailedPlacement[];
}[Kind];

/** `hard` and `symbolic` links lead to `target`. */
export type ThreadPlacement =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'hard' | 'symbolic'; readonly path: string; readonly target: string };

export interface ThreadRequest {
  readonly id: number;
  readonly job: ThreadJob;
}

export type ThreadReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } };

export function blobThreadBody(
  port: MessagePort,
  fs: typeof FileSystem,
  crypto: typeof Crypto,
  settings: ThreadSettings,
): void {
  const youngFor = 60_000;
  const hashes = new Map<number, Crypto.Hash>();
  let written = 0;

  // Methods, because bundlers that keep the names of functions wrap each in a call to something outside.
  const work = {
    pathOf(digest: string): string {
      return `${settings.blobs}/${digest.slice(0, 2)}/${digest.slice(2)}`;
    },

    claimed(digest: string): number {
      const stat = fs.statSync(work.pathOf(digest), { throwIfNoEntry: false });
      if (stat === undefined) return -1;
      const now = Date.now();
      if (now - stat.mtimeMs > youngFor) fs.utimesSync(work.pathOf(digest), now / 1000, now / 1000);
      return stat.size;
    },

    writeFresh(path: string, bytes: Uint8Array): void {
      written += 1;
      const temporary = `${settings.temp}/${settings.prefix}-${written}`;
      const file = fs.openSync(temporary, 'wx', 0o444);
      try {
        try {
          let at = 0;
          while (at < bytes.length) at += fs.writeSync(file, bytes, at);
        } finally {
          fs.closeSync(file);
        }
        fs.renameSync(temporary, path);
      } catch (error) {
        fs.rmSync(temporary, { force: true });
        throw error;
      }
    },

    put(buffer: ArrayBuffer, lengths: readonly number[]): ThreadAnswer<'put'> {
      const digests: string[] = [];
      const fresh: number[] = [];
      let at = 0;
      for (const [index, length] of lengths.entries()) {
        const bytes = new Uint8Array(buffer, at, length);
        at += length;
        const digest = crypto.hash('sha256', bytes, 'hex');
        digests.push(digest);
        // A size that is not right is what a power cut left of a file that was never made durable: write it anew.
        if (work.claimed(digest) === length) continue;
        work.writeFresh(work.pathOf(digest), bytes);
        fresh.push(index);
      }
      return { digests, fresh };
    },

    openIfThere(digest: string): number | undefined {
      try {
        return fs.openSync(work.pathOf(digest), 'r');
      } catch (error) {
        if (work.codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    },

    readOne(digest: string): Uint8Array | undefined {
      const file = work.openIfThere(digest);
      if (file === undefined) return undefined;
      try {
        const bytes = new Uint8Array(fs.fstatSync(file).size);
        let at = 0;
        while (at < bytes.length) {
          const got = fs.readSync(file, bytes, at, bytes.length - at, at);
          if (got === 0) break;
          at += got;
        }
        return bytes.subarray(0, at);
      } finally {
        fs.closeSync(file);
      }
    },

    read(digests: readonly string[]): ThreadAnswer<'read'> {
      const parts = digests.map((digest) => work.readOne(digest));
      const lengths = parts.map((part) => part?.length ?? -1);
      const bytes = new Uint8Array(parts.reduce((sum, part) => sum + (part?.length ?? 0), 0));
      let at = 0;
      for (const part of parts) {
        if (part === undefined) continue;
        bytes.set(part, at);
        at += part.length;
      }
      return { bytes: bytes.buffer, lengths };
    },

    list(fan: string): ThreadAnswer<'list'> {
      const digests: string[] = [];
      const sizes: number[] = [];
      const times: number[] = [];
      for (const name of fs.readdirSync(`${settings.blobs}/${fan}`)) {
        if (!/^[0-9a-f]{62}$/.test(name)) continue;
        const stat = fs.statSync(`${settings.blobs}/${fan}/${name}`, { throwIfNoEntry: false });
        if (stat === undefined) continue;
        digests.push(fan + name);
        sizes.push(stat.size);
        times.push(stat.mtimeMs);
      }
      return { digests, sizes, times };
    },

    check(digest: string): string {
      const file = work.openIfThere(digest);
      if (file === undefined) return digest; // Deleted meanwhile: no damage.
      try {
        const hash = crypto.createHash('sha256');
        const buffer = new Uint8Array(1024 * 1024);
        for (;;) {
          const got = fs.readSync(file, buffer, 0, buffer.length, null);
          if (got === 0) return hash.digest('hex');
          hash.update(buffer.subarray(0, got));
        }
      } finally {
        fs.closeSync(file);
      }
    },

    hashed(stream: number): Crypto.Hash {
      const known = hashes.get(stream);
      if (known !== undefined) return known;
      const made = crypto.createHash('sha256');
      hashes.set(stream, made);
      return made;
    },

    digestOf(stream: number): string {
      const digest = work.hashed(stream).digest('hex');
      hashes.delete(stream);
      return digest;
    },

    place(placements: readonly ThreadPlacement[]): FailedPlacement[] {
      const failed: FailedPlacement[] = [];
      for (const [index, placement] of placements.entries()) {
        try {
          if (placement.kind === 'directory') fs.mkdirSync(placement.path);
          else if (placement.kind === 'hard') fs.linkSync(placement.target, placement.path);
          else fs.symlinkSync(placement.target, placement.path);
        } catch (error) {
          failed.push({ index, code: work.codeOf(error), message: String(error) });
        }
      }
      return failed;
    },

    codeOf(error: unknown): string | undefined {
      return error instanceof Error && 'code' in error && typeof error.code === 'string'
        ? error.code
        : undefined;
    },

    run(job: ThreadJob): ThreadAnswer<ThreadJob['kind']> {
      switch (job.kind) {
        case 'put':
          return work.put(job.bytes, job.lengths);
        case 'claim':
          return job.digests.map((digest) => work.claimed(digest));
        case 'read':
          return work.read(job.digests);
        case 'list':
          return work.list(job.fan);
        case 'check':
          return work.check(job.digest);
        case 'hash':
          work.hashed(job.stream).update(new Uint8Array(job.bytes, 0, job.length));
          return undefined;
        case 'digest':
          return work.digestOf(job.stream);
        case 'forget':
          hashes.delete(job.stream);
          return undefined;
        case 'place':
          return work.place(job.placements);
        default: {
          const unknown: never = job;
          throw new Error(`unknown job ${JSON.stringify(unknown)}`);
        }
      }
    },
  };

  port.on('message', ({ id, job }: ThreadRequest) => {
    try {
      const value = work.run(job);
      const moved = value !== undefined && typeof value === 'object' && 'bytes' in value ? [value.bytes] : [];
      port.postMessage({ id, value }, moved);
    } catch (error) {
      port.postMessage({
        id,
        error: { message: error instanceof Error ? error.message : String(error), code: work.codeOf(error) },
      });
    }
  });
}
