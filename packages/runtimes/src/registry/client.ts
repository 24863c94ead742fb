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

/** Of a document; registries themselves take manifests of 4 MiB. Bytes. */
const longestDocument = 8 << 20;

const isDigest = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text);

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
    return digest !== null && isDigest(digest) ? digest : digestOf(await this.#bytes(`manifests/${tag}`));
  }

  /** A document by its digest, which it is checked against. @throws RegistryError */
  async document(kind: 'manifests' | 'blobs', digest: string): Promise<unknown> {
    this.#mustBeDigest(digest);
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
    this.#mustBeDigest(digest);
    const response = await this.#ask(`blobs/${digest}`, {});
    if (response.body === null) {
      throw new RegistryError(`the registry sent nothing for ${digest}`);
    }
    return Readable.fromWeb(response.body as ReadableStream<Uint8Array>);
  }

  async #bytes(path: string): Promise<Buffer> {
    const response = await this.#ask(path, { headers: { accept: manifestTypes } });
    const pieces: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
        length += piece.length;
        if (length > longestDocument) throw new RegistryError('the registry sent a document that never ends');
        pieces.push(piece);
      }
      return Buffer.concat(pieces);
    } catch (error) {
      throw unanswered(error, this.#options.signal);
    }
  }

  /** It becomes part of an address. */
  #mustBeDigest(text: string): void {
    if (!isDigest(text)) throw new RegistryError(`${text.slice(0, 100)} is no digest`);
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
    // Wherever a registry sends its readers for a layer is not told who they are, nor asked where to go for a token.
    if (response.status === 401 && new URL(response.url).origin === new URL(url).origin) {
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
  const text = await beginningOf(response);
  const said = /"message"\s*:\s*"(?<words>[^"]+)"/.exec(text)?.groups?.['words'];
  const usual: Readonly<Record<number, string>> = {
    401: 'unauthorized',
    403: 'denied',
    404: 'manifest unknown',
    429: 'too many requests',
  };
  return said ?? usual[response.status] ?? `status ${response.status}`;
}

/** What is said first; all of it may be endless. */
async function beginningOf(response: Response): Promise<string> {
  let said = '';
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    said += Buffer.from(piece).toString('utf8');
    if (said.length >= 4096) break;
  }
  return said;
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
