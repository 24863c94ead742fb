/** The documents that describe images in a registry: OCI's, and Docker's own from before. */
import { z } from 'zod';

const Descriptor = z.object({ mediaType: z.string().optional(), digest: z.string(), size: z.number() });
export type Descriptor = z.infer<typeof Descriptor>;

export const Manifest = z.object({ config: Descriptor, layers: z.array(Descriptor) });
export type Manifest = z.infer<typeof Manifest>;

const Index = z.object({
  manifests: z.array(
    Descriptor.extend({
      platform: z
        .object({ os: z.string(), architecture: z.string(), variant: z.string().optional() })
        .optional(),
    }),
  ),
});

export const ImageConfiguration = z.object({
  architecture: z.string().optional(),
  config: z.object({ Env: z.array(z.string()).nullish() }).nullish(),
});
export type ImageConfiguration = z.infer<typeof ImageConfiguration>;

export const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/**
 * Digest of the manifest for a machine in a list of several; null where the list has none, undefined where the document is no list.
 * @param architecture as in `amd64`
 */
export function manifestFor(document: unknown, architecture: string): string | null | undefined {
  const parsed = Index.safeParse(document);
  if (!parsed.success) {
    return undefined;
  }
  const fitting = parsed.data.manifests.filter(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  return fitting[0]?.digest ?? null;
}
