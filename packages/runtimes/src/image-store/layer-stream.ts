/** A layer on its way from a registry: checked against its digest while it comes, and unpacked from whatever it is packed in. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Descriptor } from '../registry/manifests.ts';
import { DamagedImageError } from './scope.ts';

export interface LayerStream {
  /** The tar archive. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** To be called when the archive has been read. @throws DamagedImageError the bytes are not those that were promised */
  check(): Promise<void>;
}

/** @param onBytes called with the number of each piece's bytes */
export function layerStream(
  source: Readable,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  onBytes: (count: number) => void,
): LayerStream {
  const hash = createHash('sha256');
  let total = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of source as AsyncIterable<Uint8Array>) {
      hash.update(piece);
      total += piece.length;
      if (total > size) throw new DamagedImageError(`a layer of it is larger than its ${size} bytes`);
      onBytes(piece.length);
      yield piece;
    }
  }
  const packed = counted();
  return {
    archive: unpacked(packed),
    async check() {
      // What comes after the end of the compressed data counts too.
      for await (const _ of packed);
      if (`sha256:${hash.digest('hex')}` !== digest) {
        throw new DamagedImageError(`a layer of it is not the one it should be (${digest})`);
      }
    },
  };
}

/** By the first bytes: media types are not always true. */
async function* unpacked(packed: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const first = await packed.next();
  if (first.done === true) throw new DamagedImageError('a layer of it is empty');
  const start = Buffer.from(first.value).subarray(0, 4).toString('hex');
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield first.value as Uint8Array;
    // Not `yield*`: whoever stops reading must not end what `check` goes on with.
    for (let next = await packed.next(); next.done !== true; next = await packed.next()) yield next.value;
  }
  if (start.startsWith('1f8b')) yield* gunzipped(whole());
  else if (start === '28b52ffd') yield* unzstd(whole());
  else yield* whole();
}

async function* gunzipped(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  const input = Readable.from(packed);
  input.on('error', (error) => gunzip.destroy(error));
  yield* input.pipe(gunzip) as AsyncIterable<Buffer>;
}

/** Node has no zstd of its own in all versions that this runs on. */
async function* unzstd(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const child = spawn('zstd', ['--decompress', '--stdout', '--quiet'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  closed.catch(() => undefined);
  const input = Readable.from(packed);
  let failure: Error | undefined;
  input.on('error', (error: Error) => {
    failure = error;
    child.kill('SIGKILL');
  });
  // It ends without reading where the data is damaged; its exit code says so.
  child.stdin.on('error', () => input.destroy());
  input.pipe(child.stdin);
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const [code] = (await closed) as [number | null];
    if (failure !== undefined) throw failure;
    if (code !== 0) throw new DamagedImageError('a layer of it cannot be unpacked with zstd');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new DamagedImageError(
        'its layers are packed with zstd, which is not installed on the worker: install the package zstd',
        { cause: error },
      );
    }
    throw error;
  } finally {
    child.kill('SIGKILL');
  }
}
