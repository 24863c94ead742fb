/** Reads one repository of an image registry (the Distribution API), without an engine. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { answerChallenge, type Asker } from './authorization.ts';
import { repositoryAddresses } from './addresses.ts';
import { manifestTypes } from './manifests.ts';

/** What the registry said, or why nobody did; in words that engines use for the same. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
}

export interface RepositoryOptions extends Asker {
  readonly repository: string;
}

interface RegistryRequest {
  readonly method?: 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
}

export class Repository {
  readonly #options: RepositoryOptions;
  /** Where it answered, so that later questions go there at once. */
  #base: string | undefined;
  #authorization: Record<string, string> = {};

  constructor(options: RepositoryOptions) {
    this.#options = options;
  }

  /** Digest that a tag stands for now. @throws RegistryError */
  async resolve(tag: string): Promise<string> {
    const head = await this.#ask(`manifests/${tag}`, { method: 'HEAD', headers: { accept: manifestTypes } });
    const digest = head.headers.get('docker-content-digest');
    // Not every registry says it in the header.
    return digest ?? digestOf(await this.#bytes(`manifests/${tag}`));
  }

  /** A document by its digest, which it is checked against. @throws RegistryError */
  async document(kind: 'manifests' | 'blobs', digest: string): Promise<unknown> {
    const bytes = await this.#bytes(`${kind}/${digest}`);
    if (digestOf(bytes) !== digest) {
      throw new RegistryError(`the registry sent something else than ${digest}`);
    }
    try {
      return JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      throw new RegistryError(`${digest} is no JSON`, { cause: error });
    }
  }

  /** The bytes of a layer, unchecked. @throws RegistryError */
  async blob(digest: string): Promise<Readable> {
    const response = await this.#ask(`blobs/${digest}`, {});
    if (response.body === null) {
      throw new RegistryError(`the registry sent nothing for ${digest}`);
    }
    return Readable.fromWeb(response.body as ReadableStream<Uint8Array>);
  }

  async #bytes(path: string): Promise<Buffer> {
    const response = await this.#ask(path, { headers: { accept: manifestTypes } });
    try {
      return Buffer.from(await response.arrayBuffer());
    } catch (error) {
      throw unanswered(error, this.#options.signal);
    }
  }

  async #ask(path: string, request: RegistryRequest): Promise<Response> {
    const { repository, plain, signal } = this.#options;
    const bases = this.#base === undefined ? repositoryAddresses(repository, plain) : [this.#base];
    let failure: unknown;
    for (const base of bases) {
      try {
        const response = await this.#askAt(`${base}/${path}`, request);
        this.#base = base;
        return response;
      } catch (error) {
        if (error instanceof RegistryError) throw error;
        failure = unanswered(error, signal);
      }
    }
    throw failure;
  }

  async #askAt(url: string, request: RegistryRequest): Promise<Response> {
    const { signal } = this.#options;
    const send = (): Promise<Response> =>
      fetch(url, { ...request, signal, headers: { ...request.headers, ...this.#authorization } });
    let response = await send();
    if (response.status === 401) {
      await response.body?.cancel();
      // Tokens end: what was good for the manifest may be too old for the last layer.
      this.#authorization = await answerChallenge(
        response.headers.get('www-authenticate') ?? '',
        this.#options,
      );
      response = await send();
    }
    if (!response.ok) {
      throw new RegistryError(await refusal(response));
    }
    return response;
  }
}

/** Why a registry refuses: its first error in words, or what the status means. */
async function refusal(response: Response): Promise<string> {
  const text = (await response.text()).slice(0, 4096);
  const said = /"message"\s*:\s*"(?<words>[^"]+)"/.exec(text)?.groups?.['words'];
  const usual: Readonly<Record<number, string>> = {
    401: 'unauthorized',
    403: 'denied',
    404: 'manifest unknown',
    429: 'too many requests',
  };
  return said ?? usual[response.status] ?? `status ${response.status}`;
}

/** No connection, no TLS, no time. */
function unanswered(error: unknown, signal: AbortSignal): unknown {
  signal.throwIfAborted();
  const isConnection = error instanceof TypeError || (error instanceof Error && 'code' in error);
  if (!isConnection) {
    return error;
  }
  const { cause } = error;
  const words = cause instanceof Error ? cause.message : error.message;
  return new RegistryError(`dial tcp: ${words || 'no answer'}`, { cause: error });
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
