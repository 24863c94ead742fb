/** How large an image is, asked of its registry before anything is downloaded (execution §19). */
import { Repository, RegistryError } from '../registry/client.ts';
import { Manifest, manifestFor } from '../registry/manifests.ts';
import type { RegistryLogin } from './registry-login.ts';

export interface ManifestQuestion {
  readonly repository: string;
  /** `sha256:…` */
  readonly digest: string;
  readonly login: RegistryLogin | undefined;
  /** As engines call it: `amd64`. */
  readonly architecture: string;
  /** Whether the engine speaks to this registry without TLS. */
  readonly plain: boolean;
  readonly signal: AbortSignal;
}

/** Milliseconds for all questions together. */
const patience = 10_000;

/**
 * Bytes to download for an image, compressed, none of its layers being here. Undefined where the registry does not tell us: the
 * engine may reach it in ways of its own, such as a proxy or a certificate, and then it is measured while it comes.
 */
export async function manifestSize(question: ManifestQuestion): Promise<number | undefined> {
  const { digest, architecture } = question;
  const signal = AbortSignal.any([question.signal, AbortSignal.timeout(patience)]);
  const repository = new Repository({ ...question, signal });
  try {
    const first = await repository.document('manifests', digest);
    const own = manifestFor(first, architecture);
    if (own === null) {
      return undefined;
    }
    return sumOf(own === undefined ? first : await repository.document('manifests', own));
  } catch (error) {
    question.signal.throwIfAborted();
    if (isUnanswered(error)) {
      return undefined;
    }
    throw error;
  }
}

function sumOf(manifest: unknown): number | undefined {
  const parsed = Manifest.safeParse(manifest);
  return parsed.success ? sizeOfManifest(parsed.data) : undefined;
}

/** Bytes to download for an image, compressed. */
export function sizeOfManifest({ config, layers }: Manifest): number {
  return layers.reduce((sum, { size }) => sum + size, config.size);
}

/** Whatever stands in the way, the engine will say it better. */
function isUnanswered(error: unknown): boolean {
  return error instanceof RegistryError || (error instanceof DOMException && error.name === 'TimeoutError');
}
