/** Why an image cannot be had, in a sentence for the person who asked for it (execution §19, §30). */
import { EngineError, EngineUnreachableError } from '../engine/errors.ts';
import { ImageError, RuntimeError } from '../port.ts';
import { RegistryError } from '../registry/client.ts';

interface Cause {
  readonly pattern: RegExp;
  readonly sentence: string;
  readonly transient: boolean;
}

const unauthorized =
  /unauthorized|denied|authentication required|no basic auth|forbidden|incorrect username or password/i;

// In this order: registries answer "denied" for what does not exist, and say so in the same breath.
const causes: readonly Cause[] = [
  {
    pattern: /invalid reference format|must be lowercase|invalid checksum digest/i,
    sentence: 'this is not the name of an image',
    transient: false,
  },
  {
    pattern: /no space left on device/i,
    sentence: 'the disk of the worker is full',
    transient: true,
  },
  {
    pattern: /too many requests|toomanyrequests|rate limit/i,
    sentence: 'the registry refuses further downloads for now; log in to it on the worker, or try later',
    transient: true,
  },
  {
    pattern: /no matching manifest for|cannot be used on this platform/i,
    sentence: "the image is not made for this worker's kind of machine",
    transient: false,
  },
  {
    pattern: /manifest unknown|name unknown|repository name not known|not found/i,
    sentence: 'the registry has no such image; check its name and tag',
    transient: false,
  },
  {
    pattern: unauthorized,
    sentence: 'the registry has no such image, or it is private and the worker is not logged in to it',
    transient: false,
  },
  {
    pattern:
      /dial tcp|no such host|connection refused|timeout|timed out|deadline exceeded|EOF|tls:|x509|proxyconnect|server gave HTTP response/i,
    sentence: 'the registry cannot be reached from the worker',
    transient: true,
  },
];

const loginRefused: Cause = {
  pattern: unauthorized,
  sentence: 'the registry has no such image, or does not accept the login that this worker has for it',
  transient: false,
};

/**
 * Translates whatever an engine or a registry said about an image. Errors that are not theirs come back as they are.
 * @param signedIn whether the worker has a login for the registry
 */
export function imageFailure(
  reference: string,
  error: unknown,
  { signedIn = false }: { readonly signedIn?: boolean } = {},
): unknown {
  if (error instanceof ImageError || error instanceof RuntimeError) {
    return error;
  }
  if (error instanceof EngineUnreachableError) {
    return new ImageError(`Can't download image ${reference}: ${error.message}`, {
      transient: true,
      cause: error,
    });
  }
  if (!(error instanceof EngineError || error instanceof RegistryError)) {
    return error;
  }
  const known = causes.find(({ pattern }) => pattern.test(error.message));
  const cause = signedIn && known?.pattern === unauthorized ? loginRefused : known;
  const words = cause ? `${cause.sentence} (${error.message.trim()})` : error.message.trim();
  return new ImageError(`Can't download image ${reference}: ${words}`, {
    transient: cause?.transient ?? true,
    cause: error,
  });
}
