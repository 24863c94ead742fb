/** How large an image is, asked of its registry before anything is downloaded (execution §19). */
import { z } from 'zod';
import { registryOf } from './reference.ts';
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

const Sized = z.object({ size: z.number() });
const Manifest = z.object({ config: Sized, layers: z.array(Sized) });
const Index = z.object({
  manifests: z.array(
    z.object({
      digest: z.string(),
      platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
    }),
  ),
});
const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

const accepted = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
/** Milliseconds for all questions together. */
const patience = 10_000;

/**
 * Bytes to download for an image, compressed, none of its layers being here. Undefined where the registry does not tell us: the
 * engine may reach it in ways of its own, such as a proxy or a certificate, and then it is measured while it comes.
 */
export async function manifestSize(question: ManifestQuestion): Promise<number | undefined> {
  const signal = AbortSignal.any([question.signal, AbortSignal.timeout(patience)]);
  for (const base of basesOf(question)) {
    try {
      return await sizeAt(base, { ...question, signal });
    } catch (error) {
      question.signal.throwIfAborted();
      if (!isUnanswered(error)) {
        throw error;
      }
    }
  }
  return undefined;
}

async function sizeAt(base: string, question: ManifestQuestion): Promise<number | undefined> {
  const found = await manifestAt(`${base}/${question.digest}`, question);
  const index = Index.safeParse(found);
  if (!index.success) {
    return sumOf(found);
  }
  const own = index.data.manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === question.architecture,
  );
  return own && sumOf(await manifestAt(`${base}/${own.digest}`, question));
}

function sumOf(manifest: unknown): number | undefined {
  const parsed = Manifest.safeParse(manifest);
  if (!parsed.success) {
    return undefined;
  }
  const { config, layers } = parsed.data;
  return layers.reduce((sum, { size }) => sum + size, config.size);
}

async function manifestAt(url: string, question: ManifestQuestion): Promise<unknown> {
  const { signal } = question;
  const first = await fetch(url, { headers: { accept: accepted }, signal });
  if (first.status !== 401) {
    return documentOf(first);
  }
  await first.body?.cancel();
  const authorization = await answerChallenge(first.headers.get('www-authenticate') ?? '', question);
  return documentOf(await fetch(url, { headers: { accept: accepted, ...authorization }, signal }));
}

async function documentOf(response: Response): Promise<unknown> {
  if (response.ok) {
    return response.json();
  }
  await response.body?.cancel();
  return undefined;
}

/** A registry asks for name and password itself, or for a token that another place gives out for them. */
async function answerChallenge(
  challenge: string,
  { login, plain, signal }: ManifestQuestion,
): Promise<Record<string, string>> {
  const basic: Record<string, string> = login?.username
    ? {
        authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`,
      }
    : {};
  if (!/^bearer /i.test(challenge)) {
    return basic;
  }
  const { realm, service, scope } = parametersOf(challenge);
  if (realm === undefined || !URL.canParse(realm)) {
    return {};
  }
  const url = new URL(realm);
  if (url.protocol !== 'https:' && !plain) {
    return {};
  }
  for (const [name, value] of Object.entries({ service, scope })) {
    if (value !== undefined) {
      url.searchParams.set(name, value);
    }
  }
  const answer = Token.safeParse(await documentOf(await fetch(url, { headers: basic, signal })));
  const token = answer.success ? (answer.data.token ?? answer.data.access_token) : undefined;
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function parametersOf(challenge: string): Readonly<Record<string, string | undefined>> {
  const found = [...challenge.matchAll(/(\w+)="([^"]*)"/g)];
  return Object.fromEntries(found.map(([, name, value]) => [name, value]));
}

/** Where the manifests of a repository are. Engines try TLS first also where they may do without. */
function basesOf({ repository, plain }: ManifestQuestion): string[] {
  const registry = registryOf(repository);
  if (registry.startsWith('https://')) {
    const path = repository.replace(/^(?:index\.)?docker\.io\//, '');
    const full = path.includes('/') ? path : `library/${path}`;
    return [`https://registry-1.docker.io/v2/${full}/manifests`];
  }
  const path = `${registry}/v2/${repository.slice(registry.length + 1)}/manifests`;
  return plain ? [`https://${path}`, `http://${path}`] : [`https://${path}`];
}

/** No connection, no TLS, no time, no JSON: whatever stands in the way, the engine will say it better. */
function isUnanswered(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof SyntaxError ||
    (error instanceof DOMException && error.name === 'TimeoutError')
  );
}
