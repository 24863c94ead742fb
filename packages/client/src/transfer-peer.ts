/**
 * The other side of a native transfer, over REST (see @sheaf/wire, transfer). It has the shape of both `SendPeer` and
 * `FetchPeer` of @sheaf/trees, so it goes straight into `sendContents` and `fetchContents`.
 */
import {
  epochHeader,
  packContentType,
  type CommitResponse,
  type EntryResponse,
  type OfferRequest,
  type OfferResponse,
  type WireEntry,
} from '@sheaf/wire';
import { encodePath } from './query.ts';
import type { RequestOptions, RestClient } from './rest-client.ts';
import type { SizedBody } from './transport.ts';

export interface TransferPeerOptions {
  /** The attempt of a run that results belong to; an older one than the assignment's is refused as `stale-assignment`. */
  readonly epoch?: number;
  /** Whether a commit makes the bundle ready; false, as workers want it, leaves its state alone. True without an epoch. */
  readonly finalize?: boolean;
  /** Milliseconds without a byte in either direction after which a connection counts as dead. */
  readonly silence?: number;
}

const usualSilence = 2 * 60_000;
/** The server looks at everything that a root leads to before it answers: for a million files this takes a while. */
const silenceOfCommits = 10 * 60_000;

interface Cancellable {
  readonly signal?: AbortSignal;
}

export interface TransferPeer {
  /** Which of these blobs (digest and size in bytes) are missing, and from which offset on. */
  offer(
    blobs: readonly (readonly [string, number])[],
    context?: Cancellable,
  ): Promise<readonly (readonly [string, number])[]>;
  /** Those of these sizes of which this user has sent a blob before: worth hashing before sending. */
  knownSizes(sizes: readonly number[], context?: Cancellable): Promise<readonly number[]>;
  /** Sends many small blobs. */
  sendPack(pack: SizedBody, context?: Cancellable): Promise<void>;
  /** Sends the bytes of one blob from `offset` on. */
  sendBlob(
    blob: readonly [string, number],
    offset: number,
    bytes: SizedBody,
    context?: Cancellable,
  ): Promise<void>;
  /** Says that everything is there: the entry becomes the bundle's contents. */
  commit(root: WireEntry, context?: Cancellable): Promise<CommitResponse>;
  /** `sendPack` and `commit` in one round trip. */
  commitPack(root: WireEntry, pack: SizedBody, context?: Cancellable): Promise<CommitResponse>;
  /** What is at a path of the bundle, and where it really is. @throws SheafError `not-found` */
  entry(path: string, context?: Cancellable): Promise<EntryResponse['data']>;
  /** A pack with the blobs of these digests. */
  fetchPack(digests: readonly string[], context?: Cancellable): Promise<AsyncIterable<Uint8Array>>;
  /** The bytes of one blob from `offset` on. */
  fetchBlob(digest: string, offset: number, context?: Cancellable): Promise<AsyncIterable<Uint8Array>>;
}

/** @param uuid the bundle whose contents are sent or fetched: it decides what the asker may do. */
export function transferPeer(
  client: RestClient,
  uuid: string,
  { epoch, finalize = epoch === undefined, silence }: TransferPeerOptions = {},
): TransferPeer {
  const base = `/bundles/${uuid}/transfer`;
  const headers: Record<string, string> = {
    'accept-encoding': 'identity',
    ...(epoch === undefined ? {} : { [epochHeader]: String(epoch) }),
  };
  const common = (context: Cancellable = {}, idleTimeout = silence ?? usualSilence) => ({
    ...context,
    headers,
    idleTimeout,
  });
  const commits = silence ?? silenceOfCommits;
  const offer = (request: Partial<OfferRequest>, context?: Cancellable) =>
    client.json<OfferResponse>('POST', `${base}/offer`, { ...common(context), json: request });
  const pack = (
    body: SizedBody,
    context: Cancellable | undefined,
    patience?: number,
    query: RequestOptions['query'] = {},
  ) =>
    client.json<CommitResponse>('POST', `${base}/pack`, {
      ...common(context, patience),
      query,
      body,
      contentType: packContentType,
    });
  return {
    offer: async (blobs, context) =>
      (await offer({ blobs: blobs.map(([digest, size]) => [digest, size]) }, context)).need,
    knownSizes: async (sizes, context) => (await offer({ sizes: [...sizes] }, context)).known_sizes,
    async sendPack(body, context) {
      await pack(body, context);
    },
    async sendBlob([digest], offset, body, context) {
      await client.text('PUT', `${base}/blobs/${digest}`, {
        ...common(context),
        query: { offset },
        body,
        contentType: 'application/octet-stream',
      });
    },
    commit: (root, context) =>
      client.json('POST', `${base}/commit`, { ...common(context, commits), json: { root, finalize } }),
    commitPack: (root, body, context) =>
      pack(body, context, commits, { root: JSON.stringify(root), finalize }),
    async entry(path, context) {
      const route = `/bundles/${uuid}/contents/entry/${encodePath(path)}`;
      return (await client.json<EntryResponse>('GET', route, { ...context, headers })).data;
    },
    async fetchPack(digests, context) {
      return (await client.stream('POST', `${base}/fetch`, { ...common(context), json: { digests } })).body;
    },
    async fetchBlob(digest, offset, context) {
      const range: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
      const options = common(context);
      return (
        await client.stream('GET', `${base}/blobs/${digest}`, {
          ...options,
          headers: { ...options.headers, ...range },
        })
      ).body;
    },
  };
}
