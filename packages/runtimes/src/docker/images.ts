/** Getting images: which digest a name means now, and that digest into the engine (execution §19). */
import { formatSize } from '@sheaf/domain';
import type { EngineClient } from '../engine/client.ts';
import { isConflict, isNotFound } from '../engine/errors.ts';
import type { Image } from '../engine/schema.ts';
import { ImageError, type ImageRemoval, type PreparedImage, type PrepareImageOptions } from '../port.ts';
import { imageFailure } from './image-failure.ts';
import { manifestSize } from './manifest-size.ts';
import { PullProgress } from './progress.ts';
import {
  formatImageReference,
  isImageReference,
  parseImageReference,
  registryOf,
  type ImageReference,
} from './reference.ts';
import { encodeLogin, type RegistryLogin } from './registry-login.ts';
import { SharedWork } from './shared-work.ts';

export interface ImagesOptions {
  readonly engine: EngineClient;
  /** What to sign in with at the registry of a repository. */
  readonly login: (repository: string) => Promise<RegistryLogin | undefined>;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Whether the engine can ask a registry for a digest. Podman cannot: there, a pull is the question. */
  readonly canResolve: boolean;
  /** The engine's kind of processor, such as `amd64`, and whether it executes what was made for another: false, if certainly not. */
  readonly architecture: string;
  readonly canExecute: (architecture: string) => boolean | undefined;
  /** Whether the engine speaks to this registry without TLS. */
  readonly isPlain: (registry: string) => boolean;
}

/** How long an answer of a registry is believed: runs that start together ask once. Milliseconds. */
const memory = 60_000;
/** How long a registry may think while the image is here already. Milliseconds. */
const patience = 5_000;

export class Images {
  readonly #options: ImagesOptions;
  readonly #remembered = new Map<string, { readonly image: PreparedImage; readonly until: number }>();
  readonly #pulls = new SharedWork<PreparedImage>();

  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  /** @throws ImageError */
  async prepare(text: string, options: PrepareImageOptions): Promise<PreparedImage> {
    const maximum = options.maximumSize ?? 0;
    if (!isImageReference(text) && !isImageId(text)) {
      throw new ImageError(`Can't download image ${text}: this is not the name of an image`, {
        transient: false,
      });
    }
    try {
      return await this.#pulls.join(`${maximum} ${text}`, options, (signal, onProgress) =>
        this.#prepare(text, { signal, onProgress, maximumSize: maximum }),
      );
    } catch (error) {
      throw imageFailure(text, error, { signedIn: await this.#signedIn(text) });
    }
  }

  /** Removes an image with all its names, unless a container needs it. */
  async remove(id: string): Promise<ImageRemoval> {
    try {
      const { engine } = this.#options;
      const image = await engine.inspectImage(id);
      // Asked first: names are taken away before the engine would notice.
      if ((await engine.listContainers({ ancestor: [image.Id] })).length > 0) {
        return 'in use';
      }
      // Each name on its own: the engine refuses to remove an image by its id while it has several.
      for (const name of [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])]) {
        await this.#removeName(name);
      }
      await this.#removeName(id);
      return 'removed';
    } catch (error) {
      if (isNotFound(error)) {
        return 'gone';
      }
      if (isConflict(error)) {
        return 'in use';
      }
      throw error;
    } finally {
      this.#remembered.clear();
    }
  }

  async #removeName(name: string): Promise<void> {
    try {
      await this.#options.engine.removeImage(name);
    } catch (error) {
      if (!isNotFound(error)) {
        throw error;
      }
    }
  }

  async #prepare(text: string, options: PrepareImageOptions): Promise<PreparedImage> {
    const remembered = this.#remembered.get(text);
    if (remembered && remembered.until > this.#options.now()) {
      const image = await this.#local(remembered.image.id);
      if (image) {
        return remembered.image;
      }
    }
    const image = await this.#resolve(text, options);
    this.#remembered.set(text, { image, until: this.#options.now() + memory });
    return image;
  }

  async #resolve(text: string, options: PrepareImageOptions): Promise<PreparedImage> {
    const reference = parseImageReference(text);
    const local = await this.#local(isImageId(text) ? text : formatImageReference(reference));
    if (local && (reference.digest !== undefined || isImageId(text))) {
      return this.#prepared(local, reference, text);
    }
    if (reference.digest !== undefined) {
      return this.#pull(reference, reference.digest, text, options);
    }
    if (!this.#options.canResolve) {
      return this.#pullOrUse(reference, local, text, options);
    }
    const digest = await this.#currentDigest(text, local, options.signal);
    if (digest === undefined && local) {
      return this.#prepared(local, reference, text);
    }
    const exact = { ...reference, digest };
    const present = digest === undefined ? undefined : await this.#local(formatImageReference(exact));
    return present ? this.#prepared(present, exact, text) : this.#pull(exact, digest, text, options);
  }

  /** What the registry has under this name; undefined where it does not answer and the image here has to do. */
  async #currentDigest(
    text: string,
    local: Image | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const reference = parseImageReference(text);
    const login = await this.#loginFor(reference);
    const limit = local ? AbortSignal.any([signal, AbortSignal.timeout(patience)]) : signal;
    try {
      return await this.#options.engine.resolveImage(formatImageReference(reference), login, limit);
    } catch (error) {
      signal.throwIfAborted();
      if (local) {
        return undefined;
      }
      throw error;
    }
  }

  async #pullOrUse(
    reference: ImageReference,
    local: Image | undefined,
    text: string,
    options: PrepareImageOptions,
  ): Promise<PreparedImage> {
    try {
      return await this.#pull(reference, undefined, text, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (local && !(error instanceof ImageError)) {
        return this.#prepared(local, reference, text);
      }
      throw error;
    }
  }

  async #pull(
    reference: ImageReference,
    digest: string | undefined,
    text: string,
    options: PrepareImageOptions,
  ): Promise<PreparedImage> {
    const { engine } = this.#options;
    await this.#refuseTooLarge(reference, digest, text, options);
    const login = await this.#loginFor(reference);
    const progress = new PullProgress();
    const tooLarge = new AbortController();
    const signal = AbortSignal.any([options.signal, tooLarge.signal]);
    const wanted = digest ?? reference.tag ?? 'latest';
    for await (const line of engine.pullImage(reference.repository, wanted, login, signal)) {
      const words = progress.add(line);
      if (words !== undefined) {
        options.onProgress(words);
      }
      refuseLarger(text, progress.downloadSize, options.maximumSize);
    }
    const image = await engine.inspectImage(formatImageReference({ ...reference, digest }));
    if (digest !== undefined && reference.tag !== undefined) {
      // So that the name is there too when the registry is away.
      await engine.tagImage(image.Id, reference.repository, reference.tag);
    }
    return { ...this.#prepared(image, reference, text), downloaded: progress.downloaded };
  }

  /** Asked before anything comes; where the registry does not tell, what comes is measured. */
  async #refuseTooLarge(
    { repository }: ImageReference,
    digest: string | undefined,
    text: string,
    { maximumSize = 0, signal }: PrepareImageOptions,
  ): Promise<void> {
    if (maximumSize === 0 || digest === undefined) {
      return;
    }
    const { architecture, isPlain, login } = this.#options;
    const size = await manifestSize({
      repository,
      digest,
      login: await login(repository),
      architecture,
      plain: isPlain(registryOf(repository)),
      signal,
    });
    refuseLarger(text, size ?? 0, maximumSize);
  }

  async #loginFor({ repository }: ImageReference): Promise<string | undefined> {
    const login = await this.#options.login(repository);
    return login && encodeLogin(login);
  }

  async #signedIn(text: string): Promise<boolean> {
    if (isImageId(text)) {
      return false;
    }
    return (await this.#options.login(parseImageReference(text).repository)) !== undefined;
  }

  /** What a run will use. @throws ImageError it was made for another kind of processor */
  #prepared(image: Image, reference: ImageReference, text: string): PreparedImage {
    const { architecture, canExecute } = this.#options;
    const made = image.Architecture ?? '';
    if (made !== '' && canExecute(made) === false) {
      throw new ImageError(
        `Can't use image ${text}: it is made for ${made}, and this worker's machine is ${architecture}`,
        { transient: false },
      );
    }
    return prepared(image, reference);
  }

  async #local(reference: string): Promise<Image | undefined> {
    try {
      return await this.#options.engine.inspectImage(reference);
    } catch (error) {
      if (isNotFound(error)) {
        return undefined;
      }
      throw error;
    }
  }
}

export function refuseLarger(text: string, size: number, maximum: number | undefined): void {
  if (maximum !== undefined && maximum > 0 && size > maximum) {
    throw new ImageError(
      `The size of ${text}: ${formatSize(size)} exceeds the maximum image size allowed ${formatSize(maximum)}.`,
      { transient: false },
    );
  }
}

function isImageId(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function prepared(image: Image, reference: ImageReference): PreparedImage {
  // One content may have come from several registries: the one that was asked for is the one to record.
  const digests = image.RepoDigests ?? [];
  const { repository, digest } = reference;
  const known =
    digests.find((name) => digest !== undefined && name === `${repository}@${digest}`) ??
    digests.find((name) => digest !== undefined && name.endsWith(`@${digest}`)) ??
    digests.find((name) => name.startsWith(`${repository}@`)) ??
    digests[0];
  return { id: image.Id, digest: known ?? null, size: image.Size };
}
