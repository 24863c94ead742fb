/** Getting images without an engine to run them: which digest a name means now, and that digest unpacked in the store. */
import { InvalidArchiveError } from '@sheaf/trees';
import { imageFailure } from '../docker/image-failure.ts';
import { refuseLarger } from '../docker/images.ts';
import {
  formatImageReference,
  isImageReference,
  parseImageReference,
  registryOf,
  type ImageReference,
} from '../docker/reference.ts';
import type { RegistryLogin } from '../docker/registry-login.ts';
import { SharedWork, type Waiter } from '../docker/shared-work.ts';
import type { EngineClient } from '../engine/client.ts';
import { EngineError, EngineUnreachableError, isNotFound } from '../engine/errors.ts';
import type { Image } from '../engine/schema.ts';
import { isErrno } from '../files/errno.ts';
import { ImageError, type ImageRemoval, type PreparedImage, type PrepareImageOptions } from '../port.ts';
import { RegistryError, Repository } from '../registry/client.ts';
import type { ImageStore, StoredImage } from './image-store.ts';
import { DamagedImageError } from './scope.ts';
import { fromEngine, fromRegistry, type ImageSource } from './sources.ts';

export interface UnpackedImagesOptions {
  readonly store: ImageStore;
  /** An engine on this machine, whose images need not be downloaded again; undefined: there is none. */
  readonly engine: EngineClient | undefined;
  /** Identity of the worker. */
  readonly worker: string;
  readonly login: (repository: string) => Promise<RegistryLogin | undefined>;
  /** Whether this registry may be spoken to without TLS. */
  readonly isPlain: (registry: string) => boolean;
  /** This machine's, such as `amd64`, and whether it executes what was made for another: false, if certainly not. */
  readonly architecture: string;
  readonly canExecute: (architecture: string) => boolean | undefined;
  /** Whether a run that is still there was started in this image. */
  readonly inUse: (id: string) => Promise<boolean>;
  /** Milliseconds, monotonic. */
  now(): number;
}

/** How long an answer of a registry is believed: runs that start together ask once. Milliseconds. */
const memory = 60_000;
/** How long a registry may think while the image is here already. Milliseconds. */
const patience = 5_000;

export class UnpackedImages {
  readonly #options: UnpackedImagesOptions;
  readonly #remembered = new Map<string, { readonly image: PreparedImage; readonly until: number }>();
  readonly #work = new SharedWork<PreparedImage>();
  /** One image may be wanted under several names at once. */
  readonly #unpacking = new Map<string, Promise<unknown>>();

  constructor(options: UnpackedImagesOptions) {
    this.#options = options;
  }

  /** @throws ImageError */
  async prepare(text: string, options: PrepareImageOptions): Promise<PreparedImage> {
    if (!isImageReference(text) && !isImageId(text)) {
      throw new ImageError(`Can't download image ${text}: this is not the name of an image`, {
        transient: false,
      });
    }
    const maximum = options.maximumSize ?? 0;
    try {
      return await this.#work.join(`${maximum} ${text}`, options, (signal, onProgress) =>
        this.#prepare(text, maximum, { signal, onProgress }),
      );
    } catch (error) {
      options.signal.throwIfAborted();
      throw failureOf(text, error, await this.#signedIn(text));
    }
  }

  async remove(id: string): Promise<ImageRemoval> {
    if (await this.#options.inUse(id)) return 'in use';
    this.#remembered.clear();
    return (await this.#options.store.remove(id)) ? 'removed' : 'gone';
  }

  async #prepare(text: string, maximum: number, waiter: Waiter): Promise<PreparedImage> {
    const remembered = this.#remembered.get(text);
    if (
      remembered &&
      remembered.until > this.#options.now() &&
      this.#options.store.get(remembered.image.id)
    ) {
      return remembered.image;
    }
    const image = isImageId(text)
      ? await this.#byId(text, waiter)
      : await this.#byName(text, maximum, waiter);
    this.#remembered.set(text, { image, until: this.#options.now() + memory });
    return image;
  }

  async #byId(id: string, waiter: Waiter): Promise<PreparedImage> {
    const stored = this.#options.store.get(id);
    if (stored !== undefined) return prepared(stored, null);
    const local = await this.#inEngine(id);
    if (local === undefined) throw unknown();
    return this.#takeFromEngine(local, { repository: '', tag: undefined, digest: undefined }, id, waiter);
  }

  async #byName(text: string, maximum: number, waiter: Waiter): Promise<PreparedImage> {
    const { store } = this.#options;
    const wanted = parseImageReference(text);
    const name = formatImageReference(wanted);
    const here = store.named(name);
    const local = here === undefined ? await this.#inEngine(name) : undefined;
    const digest =
      wanted.digest ?? (await this.#currentDigest(wanted, here !== undefined || local !== undefined, waiter));
    if (digest === undefined) {
      // The registry is away, and what is here has to do.
      return here === undefined && local !== undefined
        ? this.#takeFromEngine(local, wanted, text, waiter)
        : prepared(here, here?.names.find((one) => one.startsWith(`${wanted.repository}@`)) ?? null);
    }
    const exact = { ...wanted, digest };
    const exactName = formatImageReference(exact);
    const stored = store.named(exactName);
    if (stored !== undefined) {
      store.name(stored.id, namesOf(exact));
      return prepared(stored, exactName);
    }
    const inEngine = await this.#inEngine(exactName);
    return inEngine === undefined
      ? this.#download(exact, digest, text, maximum, waiter)
      : this.#takeFromEngine(inEngine, exact, text, waiter);
  }

  /** What the registry has under a tag; undefined where it does not answer and something is here. */
  async #currentDigest(
    reference: ImageReference,
    isHere: boolean,
    { signal }: Waiter,
  ): Promise<string | undefined> {
    const limit = isHere ? AbortSignal.any([signal, AbortSignal.timeout(patience)]) : signal;
    try {
      const repository = await this.#repository(reference.repository, limit);
      return await repository.resolve(reference.tag ?? 'latest');
    } catch (error) {
      signal.throwIfAborted();
      if (isHere) return undefined;
      throw error;
    }
  }

  async #download(
    reference: ImageReference,
    digest: string,
    text: string,
    maximum: number,
    waiter: Waiter,
  ): Promise<PreparedImage> {
    const repository = await this.#repository(reference.repository, waiter.signal);
    const source = await fromRegistry(repository, digest, this.#options.architecture);
    refuseLarger(text, source.size, maximum);
    const stored = await this.#unpack(source, namesOf(reference), text, waiter);
    return prepared(stored, formatImageReference(reference));
  }

  async #takeFromEngine(
    image: Image,
    reference: ImageReference,
    text: string,
    waiter: Waiter,
  ): Promise<PreparedImage> {
    const { engine, worker } = this.#options;
    if (engine === undefined) throw unknown();
    const source = fromEngine(engine, image, { worker, signal: waiter.signal });
    const known = (image.RepoDigests ?? []).filter((name) => name.startsWith(`${reference.repository}@`));
    const digest = known.find((name) => name === formatImageReference(reference)) ?? known[0] ?? null;
    const names = [...namesOf(reference), ...(digest === null ? [] : [digest])];
    return prepared(await this.#unpack(source, [...new Set(names)], text, waiter), digest);
  }

  async #unpack(
    source: ImageSource,
    names: readonly string[],
    text: string,
    waiter: Waiter,
  ): Promise<StoredImage> {
    const { store, architecture, canExecute } = this.#options;
    const { image } = source;
    if (image.architecture !== '' && canExecute(image.architecture) === false) {
      throw new ImageError(
        `Can't use image ${text}: it is made for ${image.architecture}, and this worker's machine is ${architecture}`,
        { transient: false },
      );
    }
    for (let other = this.#unpacking.get(image.id); other; other = this.#unpacking.get(image.id)) {
      // Whether it succeeds or is given up on, the store then says what is there.
      await other.catch(() => undefined);
    }
    const work = store
      .add({ ...image, names: [] }, (root) => source.fill(root, (words) => waiter.onProgress(words)))
      .finally(() => this.#unpacking.delete(image.id));
    this.#unpacking.set(image.id, work);
    const stored = await work;
    store.name(stored.id, names);
    return stored;
  }

  async #repository(repository: string, signal: AbortSignal): Promise<Repository> {
    const { login, isPlain } = this.#options;
    return new Repository({
      repository,
      login: await login(repository),
      plain: isPlain(registryOf(repository)),
      signal,
    });
  }

  /** An engine that is away has nothing to give; that is no failure. */
  async #inEngine(name: string): Promise<Image | undefined> {
    try {
      return await this.#options.engine?.inspectImage(name);
    } catch (error) {
      if (isNotFound(error) || error instanceof EngineError || error instanceof EngineUnreachableError) {
        return undefined;
      }
      throw error;
    }
  }

  async #signedIn(text: string): Promise<boolean> {
    return (
      !isImageId(text) && (await this.#options.login(parseImageReference(text).repository)) !== undefined
    );
  }
}

function isImageId(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** All names that an image is found under again. */
function namesOf({ repository, tag, digest }: ImageReference): string[] {
  if (repository === '') return [];
  return [
    ...(tag === undefined ? [] : [`${repository}:${tag}`]),
    ...(digest === undefined ? [] : [`${repository}@${digest}`]),
  ];
}

function prepared(image: StoredImage | undefined, digest: string | null): PreparedImage {
  if (image === undefined) throw unknown();
  // Whatever is in the store was brought here by this runtime, and may go with what is used least.
  return { id: image.id, digest, size: image.size, downloaded: true };
}

function unknown(): RegistryError {
  return new RegistryError('manifest unknown');
}

function failureOf(text: string, error: unknown, signedIn: boolean): unknown {
  const isDamaged = error instanceof DamagedImageError || error instanceof InvalidArchiveError;
  if (error instanceof Error && (isDamaged || isErrno(error, 'ENAMETOOLONG'))) {
    return new ImageError(`Can't use image ${text}: ${error.message}`, { transient: false, cause: error });
  }
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
    return new ImageError(`Can't download image ${text}: the disk of the worker is full`, {
      transient: true,
      cause: error,
    });
  }
  return imageFailure(text, error, { signedIn });
}
