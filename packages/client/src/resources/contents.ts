/** What bundles contain, over REST: look, read, follow, write (rest-api.md §18-20). */
import type { TargetInfo } from '@sheaf/wire';
import { encodePath, type Query } from '../query.ts';
import type { RestClient } from '../rest-client.ts';
import type { Body, TransportResponse } from '../transport.ts';

/** A bundle and a path inside it; an empty path is the bundle itself. */
export interface ResolvedTarget {
  readonly uuid: string;
  readonly subpath: string;
}

const contentsPath = (route: string, target: ResolvedTarget) =>
  `/bundles/${target.uuid}/contents/${route}/${encodePath(target.subpath)}`;

/**
 * @param depth levels of directory entries to list.
 * @throws SheafError `not-found` where there is nothing there, or not yet.
 */
export async function targetInfo(
  client: RestClient,
  target: ResolvedTarget,
  depth: number,
): Promise<TargetInfo> {
  const answer = await client.json<{ data: TargetInfo }>('GET', contentsPath('info', target), {
    query: { depth },
  });
  return answer.data;
}

export interface ReadOptions {
  readonly head?: number;
  readonly tail?: number;
  readonly truncation_text?: string;
  /** First and last byte, both included. */
  readonly range?: readonly [number, number];
  readonly signal?: AbortSignal;
}

/** The bytes of a file, or the gzipped tar of a directory. */
export function readContents(
  client: RestClient,
  target: ResolvedTarget,
  options: ReadOptions = {},
): Promise<TransportResponse> {
  const query: Query = {
    support_redirect: true,
    head: options.head,
    tail: options.tail,
    truncation_text: options.truncation_text,
  };
  return client.stream('GET', contentsPath('blob', target), {
    query,
    headers: {
      'accept-encoding': 'identity',
      ...(options.range === undefined ? {} : { range: `bytes=${options.range.join('-')}` }),
    },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/**
 * The bytes of a file from `offset` on as they are written, until the run has ended (new in Sheaf).
 * The stream waits silently while nothing is written.
 */
export function followContents(
  client: RestClient,
  target: ResolvedTarget,
  options: { offset?: number; signal?: AbortSignal } = {},
): Promise<TransportResponse> {
  return client.stream('GET', contentsPath('follow', target), {
    query: { offset: options.offset },
    headers: { 'accept-encoding': 'identity' },
    idleTimeout: 0,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

export interface UploadOptions {
  readonly filename: string;
  readonly unpack: boolean;
  readonly store?: string;
  readonly useAzureBlobBeta?: boolean;
  readonly stateOnSuccess?: string;
}

/** Stores a body as the contents of a bundle and ends its upload, well or badly (rest-api.md §20). */
export async function uploadContents(
  client: RestClient,
  uuid: string,
  body: Body,
  options: UploadOptions,
): Promise<void> {
  await client.text('PUT', `/bundles/${uuid}/contents/blob/`, {
    query: {
      filename: options.filename,
      unpack: options.unpack,
      state_on_success: options.stateOnSuccess ?? 'ready',
      finalize_on_success: true,
      use_azure_blob_beta: options.useAzureBlobBeta ?? false,
      store: options.store ?? '',
      finalize_on_failure: true,
    },
    body,
    idleTimeout: 0,
  });
}

/** Has the server fetch a URL as the contents of a bundle; returns when it is done. */
export async function uploadFromUrl(
  client: RestClient,
  uuid: string,
  url: string,
  options: { git: boolean; store?: string; useAzureBlobBeta?: boolean },
): Promise<void> {
  await client.text('PUT', `/bundles/${uuid}/contents/blob/`, {
    query: {
      urls: url,
      git: options.git,
      state_on_success: 'ready',
      finalize_on_success: true,
      use_azure_blob_beta: options.useAzureBlobBeta ?? false,
      store: options.store ?? '',
      finalize_on_failure: true,
    },
    headers: { 'content-length': '0' },
    idleTimeout: 0,
  });
}

/** Values of file genpaths such as `/stats:accuracy`, in order; null where there is no such file or key. */
export async function fileGenpaths(
  client: RestClient,
  queries: readonly { bundle_uuid: string; genpath: string; post: string | null }[],
): Promise<unknown[]> {
  const answer = await client.json<{ data: unknown[] }>('POST', '/interpret/file-genpaths', {
    json: { queries },
  });
  return answer.data;
}
