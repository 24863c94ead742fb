/** Brings local contents into a bundle that waits for them, the fastest way there is for each kind. */
import { transferPeer, uploadContents, type RestClient } from '@sheaf/client';
import { archiveExtensionOf } from '@sheaf/domain';
import type { HashedTree } from '@sheaf/trees';
import { createReadStream } from 'node:fs';
import type { Engine } from '../load-engine.ts';
import type { Progress } from '../progress.ts';
import type { LocalFile } from './sources.ts';

export interface Delivery {
  readonly engine: Engine;
  readonly client: RestClient;
  readonly uuid: string;
  readonly progress: Progress;
  readonly store: string;
  readonly useAzureBlobBeta: boolean;
}

/** Only what the server lacks travels. */
export async function deliverHashed(delivery: Delivery, hashed: HashedTree): Promise<void> {
  await delivery.engine.sendContents(hashed, transferPeer(delivery.client, delivery.uuid), {
    onProgress: ({ bytes, totalBytes }) => delivery.progress.at(bytes, totalBytes),
  });
}

/**
 * A plain file. A large one that the server cannot have yet is hashed there, while it arrives; hashing it here first would
 * read it twice. One of a size that it has got from this user before is hashed here first: perhaps nothing has to travel.
 */
export async function deliverFile(delivery: Delivery, file: LocalFile): Promise<void> {
  if (await isWorthHashing(delivery, file)) {
    await deliverHashed(delivery, await delivery.engine.hashSingle(file));
  } else {
    await deliverStream(
      delivery,
      file.base,
      false,
      createReadStream(file.path, { highWaterMark: chunk }),
      file.size,
    );
  }
}

const chunk = 1024 * 1024;

async function isWorthHashing(delivery: Delivery, file: LocalFile): Promise<boolean> {
  // A stream does not say that a file can be executed.
  if (file.executable || file.size <= delivery.engine.oneRoundTrip) return true;
  const known = await transferPeer(delivery.client, delivery.uuid).knownSizes([file.size]);
  return known.includes(file.size);
}

/** An archive is unpacked by the server as it arrives, unless it is to be kept packed. */
export async function deliverArchive(delivery: Delivery, file: LocalFile, unpack: boolean): Promise<void> {
  if (!unpack) return deliverFile(delivery, file);
  await deliverStream(
    delivery,
    file.base,
    true,
    createReadStream(file.path, { highWaterMark: chunk }),
    file.size,
  );
}

/** A plain file, compressed on the way. */
export async function deliverCompressed(delivery: Delivery, file: LocalFile): Promise<void> {
  const { createGzip } = process.getBuiltinModule('node:zlib');
  const source = createReadStream(file.path, { highWaterMark: chunk });
  const packed = createGzip();
  source.on('error', (error) => packed.destroy(error)).pipe(packed);
  await deliverStream(delivery, `${file.base}.gz`, true, packed);
}

/** @param size bytes, where they are known. */
export async function deliverStream(
  delivery: Delivery,
  filename: string,
  unpack: boolean,
  source: AsyncIterable<Uint8Array>,
  size?: number,
): Promise<void> {
  const { client, uuid, store, useAzureBlobBeta } = delivery;
  await uploadContents(client, uuid, counted(source, delivery.progress, size), {
    filename,
    unpack,
    store,
    useAzureBlobBeta,
  });
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  progress: Progress,
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of source) {
    yield piece;
    bytes += piece.byteLength;
    progress.at(bytes, size);
  }
}

export function isArchive(file: LocalFile): boolean {
  return archiveExtensionOf(file.base) !== undefined;
}
