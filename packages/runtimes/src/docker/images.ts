/** Getting images: which digest a name means now, and that digest into the engine (execution §19). */
import { formatSize } from '@sheaf/domain';
import type { EngineClient } from '../engine/client.ts';
import { isConflict, isNotFound } from '../engine/errors.ts';
import type { Image } from '../engine/schema.ts';
import { ImageError, type PreparedImage, type PrepareImageOptions } from '../port.ts';
import { imageFailure } from './image-failure.ts';
import { PullProgress } from './progress.ts';
import {
  formatImageReference,
  isImageReference,
  parseImageReference,
  type ImageReference,
} from './reference.ts';
import { SharedWork } from './shared-work.ts';

export interface ImagesOptions {
  readonly engine: EngineClient;
  /** Value of `X-Registry-Auth` for a repository. */
  login(repository: string): Promise<string | undefined>;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Whether the engine can ask a registry for a digest. Podman cannot: there, a pull is the question. */
  readonly canResolve: boolean;
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
      throw imageFailure(text, error);
    }
  }

  /** Removes an image; false where a container still needs it, or where it has gone already. */
  async remove(id: string): Promise<boolean> {
    try {
      const { engine } = this.#options;
      const image = await engine.inspectImage(id);
      // Asked first: names are taken away before the engine would notice.
      if ((await engine.listContainers({ ancestor: [image.Id] })).length > 0) {
        return false;
      }
      // Each name on its own: the engine refuses to remove an image by its id while it has several.
      for (const name of [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])]) {
        await this.#removeName(name);
      }
      await this.#removeName(id);
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) {
        return false;
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
      return prepared(local, reference);
    }
    if (reference.digest !== undefined) {
      return this.#pull(reference, reference.digest, text, options);
    }
    if (!this.#options.canResolve) {
      return this.#pullOrUse(reference, local, text, options);
    }
    const digest = await this.#currentDigest(text, local, options.signal);
    if (digest === undefined && local) {
      return prepared(local, reference);
    }
    const exact = { ...reference, digest };
    const present = digest === undefined ? undefined : await this.#local(formatImageReference(exact));
    return present ? prepared(present, exact) : this.#pull(exact, digest, text, options);
  }

  /** What the registry has under this name; undefined where it does not answer and the image here has to do. */
  async #currentDigest(
    text: string,
    local: Image | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const reference = parseImageReference(text);
    const login = await this.#options.login(reference.repository);
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
        return prepared(local, reference);
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
    const login = await this.#options.login(reference.repository);
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

function refuseLarger(text: string, size: number, maximum: number | undefined): void {
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
