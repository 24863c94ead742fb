import { z } from 'zod';
import { digest, entry } from './entry.ts';

/*
 * Native transfer: only what the other side lacks travels.
 *
 *   POST /rest/bundles/<uuid>/transfer/offer            offerRequest → offerResponse
 *   POST /rest/bundles/<uuid>/transfer/pack[?root=…]    a pack of small blobs; with `root` (a JSON entry) it commits too
 *   PUT  /rest/bundles/<uuid>/transfer/blobs/<digest>?offset=N   the bytes of one blob from offset N on
 *   POST /rest/bundles/<uuid>/transfer/commit           commitRequest → commitResponse
 *
 *   GET  /rest/bundles/<uuid>/contents/entry/<path>     entryResponse
 *   POST /rest/bundles/<uuid>/transfer/fetch            fetchRequest → a pack
 *   GET  /rest/bundles/<uuid>/transfer/blobs/<digest>   the bytes of one blob; `Range: bytes=N-` resumes
 *
 * Results of a run carry the header `x-sheaf-epoch`; an older epoch than the assignment's is refused with 409.
 */

/** What the sender has: pairs of digest and size in bytes. `sizes` asks only whether such a size is known. */
export const offerRequest = z.object({
  blobs: z
    .array(z.tuple([digest, z.int().min(0)]))
    .max(100_000)
    .default([]),
  /** Sizes of large files not hashed yet: the answer says which of them are worth hashing before sending. */
  sizes: z.array(z.int().min(0)).max(100_000).default([]),
});

export const offerResponse = z.object({
  /** Digests to send, each with the offset from which to go on (bytes already here from an earlier try). */
  need: z.array(z.tuple([digest, z.int().min(0)])),
  /** Those of `sizes` of which the sender has sent a blob before. */
  known_sizes: z.array(z.int().min(0)),
});

export const commitRequest = z.object({ root: entry, finalize: z.boolean().default(true) });
export const commitResponse = z.object({ data_size: z.int().min(0) });

export const fetchRequest = z.object({ digests: z.array(digest).min(1).max(100_000) });

export const entryResponse = z.object({
  data: z.object({
    entry,
    /** Where the data really is: differs from what was asked when the path leads through a dependency. */
    resolved_target: z.object({ bundle_uuid: z.string(), subpath: z.string() }),
  }),
});

export type OfferRequest = z.infer<typeof offerRequest>;
export type OfferResponse = z.infer<typeof offerResponse>;
export type CommitRequest = z.infer<typeof commitRequest>;
export type CommitResponse = z.infer<typeof commitResponse>;
export type EntryResponse = z.infer<typeof entryResponse>;
