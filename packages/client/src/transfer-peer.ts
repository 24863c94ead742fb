/** The other side of a native transfer, over REST: what is needed, the bytes, the root (see @sheaf/wire, transfer). */
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
import type { RestClient } from './rest-client.ts';
import type { Body } from './transport.ts';

export interface TransferPeerOptions {
  /** The attempt of a run that results belong to. */
  readonly epoch?: number;
  /** False leaves the bundle's state alone, as workers want it. */
  readonly finalize?: boolean;
  readonly signal?: AbortSignal;
}

export interface TransferPeer {
  /** Asks which blobs are missing, and from which offset on. Sizes in bytes. */
  offer(offer: Partial<OfferRequest>): Promise<OfferResponse>;
  /** Sends a pack of small blobs. With `root` the server commits it, too, when everything is there. */
  sendPack(pack: Body, root?: WireEntry): Promise<CommitResponse | undefined>;
  /** Sends the bytes of one blob from `offset` on. */
  sendBlob(digest: string, offset: number, bytes: Body): Promise<void>;
  /** Says that everything is there: the entry becomes the bundle's contents. */
  commit(root: WireEntry): Promise<CommitResponse>;
  /** What is at a path of the bundle, and where it really is. @throws SheafError `not-found` */
  entry(path: string): Promise<EntryResponse['data']>;
  /** A pack with the small blobs of these digests. */
  fetchPack(digests: readonly string[]): Promise<AsyncIterable<Uint8Array>>;
  /** The bytes of one blob from `offset` on. */
  fetchBlob(digest: string, offset: number): Promise<AsyncIterable<Uint8Array>>;
}

/** @param uuid the bundle whose contents are sent or fetched: it decides what the asker may do. */
export function transferPeer(
  client: RestClient,
  uuid: string,
  options: TransferPeerOptions = {},
): TransferPeer {
  const base = `/bundles/${uuid}/transfer`;
  const finalize = options.finalize ?? options.epoch === undefined;
  const common = {
    headers: {
      'accept-encoding': 'identity',
      ...(options.epoch === undefined ? {} : { [epochHeader]: String(options.epoch) }),
    },
    idleTimeout: 0,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  return {
    offer: (offer) => client.json('POST', `${base}/offer`, { ...common, json: offer }),
    sendPack: (pack, root) =>
      client.json('POST', `${base}/pack`, {
        ...common,
        query: root === undefined ? {} : { root: JSON.stringify(root), finalize },
        body: pack,
        contentType: packContentType,
      }),
    async sendBlob(digest, offset, bytes) {
      await client.text('PUT', `${base}/blobs/${digest}`, {
        ...common,
        query: { offset },
        body: bytes,
        contentType: 'application/octet-stream',
      });
    },
    commit: (root) => client.json('POST', `${base}/commit`, { ...common, json: { root, finalize } }),
    async entry(path) {
      const route = `/bundles/${uuid}/contents/entry/${encodePath(path)}`;
      return (await client.json<EntryResponse>('GET', route, common)).data;
    },
    async fetchPack(digests) {
      return (await client.stream('POST', `${base}/fetch`, { ...common, json: { digests } })).body;
    },
    async fetchBlob(digest, offset) {
      const headers = offset === 0 ? common.headers : { ...common.headers, range: `bytes=${offset}-` };
      return (await client.stream('GET', `${base}/blobs/${digest}`, { ...common, headers })).body;
    },
  };
}
