/** Names of images as people write them: `[registry[:port]/]path[:tag][@digest]`. */

export interface ImageReference {
  /** Everything before the tag or digest. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** `sha256:…` */
  readonly digest: string | undefined;
}

const host = /(?:[A-Za-z0-9]+(?:[.-][A-Za-z0-9-]+)*|\[[0-9a-f:]+\])(?::\d+)?/;
const part = /[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*/;
const tagOrDigest = /(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?/;
const grammar = new RegExp(
  `^(?:(?:${host.source})/)?${part.source}(?:/${part.source})*${tagOrDigest.source}$`,
);

/** Whether a text can be the name of an image at all; what cannot is not sent anywhere. */
export function isImageReference(text: string): boolean {
  return text.length <= 512 && grammar.test(text);
}

/** Splits a reference. A colon is a tag's only after the last slash: before it, it belongs to the registry's port (§19). */
export function parseImageReference(text: string): ImageReference {
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  const name = at === -1 ? text : text.slice(0, at);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const tag = colon === -1 ? undefined : name.slice(colon + 1);
  const repository = colon === -1 ? name : name.slice(0, colon);
  return { repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** What to ask the engine for: the digest where there is one, else the tag. */
export function formatImageReference(reference: ImageReference): string {
  return reference.digest === undefined
    ? `${reference.repository}:${reference.tag ?? 'latest'}`
    : `${reference.repository}@${reference.digest}`;
}

/** Host of the registry, as it stands in the configuration of logins: the first part if it looks like a host. */
export function registryOf(repository: string): string {
  const slash = repository.indexOf('/');
  const first = slash === -1 ? '' : repository.slice(0, slash);
  const isHost = first === 'localhost' || first.includes('.') || first.includes(':');
  const isHub = first === 'docker.io' || first === 'index.docker.io';
  return isHost && !isHub ? first : 'https://index.docker.io/v1/';
}
