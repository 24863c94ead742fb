import { z } from 'zod';

/** SHA-256 in lower-case hexadecimal. */
export const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** The root of a bundle's contents, or one node of a tree (design: contents by digest). Sizes in bytes. */
export const entry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), digest, size: z.int().min(0), executable: z.boolean() }),
  z.object({ kind: z.literal('tree'), digest, size: z.int().min(0), files: z.int().min(0) }),
  z.object({ kind: z.literal('link'), target: z.string() }),
]);

export type WireEntry = z.infer<typeof entry>;
