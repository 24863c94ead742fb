/** Where images come from when there is no engine to do it: out of a registry layer by layer, or out of an engine as one archive. */
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { formatSize } from '@sheaf/domain';
import { sizeOfManifest } from '../docker/manifest-size.ts';
import { removeContainer } from '../docker/removal.ts';
import type { EngineClient } from '../engine/client.ts';
import type { Image } from '../engine/schema.ts';
import { RegistryError, type Repository } from '../registry/client.ts';
import { ImageConfiguration, Manifest, manifestFor } from '../registry/manifests.ts';
import { applyLayer } from './apply-layer.ts';
import { layerStream } from './layer-stream.ts';
import { DamagedImageError } from './scope.ts';
import type { NewImage } from './image-store.ts';

export interface ImageSource {
  readonly image: Omit<NewImage, 'names'>;
  /** Bytes to download. */
  readonly size: number;
  /** Puts the files into a directory; answers their bytes. */
  fill(root: string, onProgress: (words: string) => void): Promise<number>;
}

/**
 * @param digest of a manifest, or of a list of them
 * @param architecture as in `amd64`
 */
export async function fromRegistry(
  repository: Repository,
  digest: string,
  architecture: string,
): Promise<ImageSource> {
  const first = await repository.document('manifests', digest);
  const own = manifestFor(first, architecture);
  if (own === null) {
    throw new RegistryError(`no matching manifest for linux/${architecture}`);
  }
  const parsed = Manifest.safeParse(own === undefined ? first : await repository.document('manifests', own));
  if (!parsed.success) {
    throw new DamagedImageError('its manifest is of a kind that is not known here', { cause: parsed.error });
  }
  const manifest = parsed.data;
  const configuration = ImageConfiguration.parse(await repository.document('blobs', manifest.config.digest));
  const size = sizeOfManifest(manifest);
  return {
    image: {
      id: manifest.config.digest,
      architecture: configuration.architecture ?? '',
      environment: configuration.config?.Env ?? [],
    },
    size,
    async fill(root, onProgress) {
      const progress = new Progress(size - manifest.config.size, onProgress);
      let bytes = 0;
      for (const layer of manifest.layers) {
        const stream = layerStream(await repository.blob(layer.digest), layer, (count) =>
          progress.add(count),
        );
        bytes += (await applyLayer(stream.archive, root)).bytes;
        await stream.check();
      }
      return bytes;
    },
  };
}

/** Label of containers that exist only to be read, by the worker that made them. */
export const exportLabel = 'sheaf.export';

/** @param worker for the label of the container that is needed meanwhile */
export function fromEngine(
  engine: EngineClient,
  image: Image,
  { worker, signal }: { readonly worker: string; readonly signal: AbortSignal },
): ImageSource {
  return {
    image: {
      id: image.Id,
      architecture: image.Architecture ?? '',
      environment: image.Config?.Env ?? [],
    },
    size: 0,
    async fill(root, onProgress) {
      const progress = new Progress(image.Size, onProgress, 'Unpacking');
      // Never started: an engine gives out the files of containers, not of images.
      const container = await engine.createContainer(`sheaf-export-${randomUUID()}`, {
        Image: image.Id,
        Entrypoint: ['/'],
        Labels: { [exportLabel]: worker },
      });
      try {
        const archive = await engine.exportContainer(container);
        return (await applyLayer(watched(archive, progress, signal), root)).bytes;
      } finally {
        await removeContainer(engine, container);
      }
    },
  };
}

/** Removes the containers that a worker which died has left. */
export async function removeLeftExports(engine: EngineClient, worker: string): Promise<void> {
  for (const { Id } of await engine.listContainers({ label: [`${exportLabel}=${worker}`] })) {
    await removeContainer(engine, Id);
  }
}

async function* watched(source: Readable, progress: Progress, signal: AbortSignal): AsyncGenerator<Buffer> {
  for await (const piece of source as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    progress.add(piece.length);
    yield piece;
  }
}

/** The words of execution §19 about what has come. */
class Progress {
  readonly #total: number;
  readonly #tell: (words: string) => void;
  readonly #verb: string;
  #done = 0;
  #told = -1;

  constructor(total: number, tell: (words: string) => void, verb = 'Downloading') {
    this.#total = total;
    this.#tell = tell;
    this.#verb = verb;
  }

  add(bytes: number): void {
    this.#done += bytes;
    const percent = Math.min(100, Math.floor((100 * this.#done) / Math.max(this.#total, 1)));
    if (percent === this.#told) return;
    this.#told = percent;
    const [done, all] = [Math.min(this.#done, this.#total), this.#total].map((count) =>
      formatSize(count, { withBytes: true }),
    );
    this.#tell(`${this.#verb} ${done}/${all} (${percent}% done)`);
  }
}
