/** Bundles over REST: find, make, change, remove, watch (rest-api.md §10-15, §22). */
import type {
  BundleAttributes,
  BundleChange,
  Document,
  MetadataValue,
  Resource,
  UserAttributes,
  WorksheetAttributes,
} from '@sheaf/wire';
import { flatten, flattenAll, flattenOne, type Flat } from '../documents.ts';
import type { RestClient } from '../rest-client.ts';
import type { TransportResponse } from '../transport.ts';

export type Bundle = Flat<BundleAttributes> & {
  readonly owner?: Flat<UserAttributes> | null;
  readonly children?: readonly Flat<Pick<BundleAttributes, 'uuid' | 'metadata'>>[];
  readonly host_worksheets?: readonly Flat<Pick<WorksheetAttributes, 'uuid' | 'name'>>[];
  readonly group_permissions?: readonly GroupPermission[];
};

export interface GroupPermission {
  readonly group_name: string;
  readonly permission: number;
  readonly permission_spec?: string;
  readonly group?: { readonly id: string };
}

export type BundleInclude = 'owner' | 'children' | 'group_permissions' | 'host_worksheets';

type BundleDocument = Document<Resource<BundleAttributes>[]>;

const including = (include: readonly BundleInclude[] | undefined) =>
  include === undefined || include.length === 0 ? {} : { include: include.join(',') };

/** @throws SheafError `not-found` */
export async function fetchBundle(
  client: RestClient,
  uuid: string,
  include?: readonly BundleInclude[],
): Promise<Bundle> {
  const query = including(include);
  return flattenOne<BundleAttributes>(await client.json('GET', `/bundles/${uuid}`, { query })) as Bundle;
}

/**
 * Resolves bundle specs on a worksheet, in their order, duplicates kept (rest-api.md §9.2).
 * @throws SheafError where one of them names nothing or several bundles.
 */
export async function resolveBundles(
  client: RestClient,
  specs: readonly string[],
  options: { worksheet?: string; include?: readonly BundleInclude[] } = {},
): Promise<Bundle[]> {
  const query = { ...including(options.include), specs, worksheet: options.worksheet };
  return flattenAll<BundleAttributes>(
    await client.json<BundleDocument>('GET', '/bundles', { query }),
  ) as Bundle[];
}

export type SearchResult =
  | { readonly kind: 'bundles'; readonly bundles: Bundle[] }
  | { readonly kind: 'value'; readonly value: string | number | null };

/** Searches with keywords (rest-api.md §12): bundles, or the value of an aggregate. */
export async function searchBundles(
  client: RestClient,
  keywords: readonly string[],
  options: { worksheet?: string; include?: readonly BundleInclude[] } = {},
): Promise<SearchResult> {
  const query = { ...including(options.include), worksheet: options.worksheet, keywords };
  const answer = await client.json<Partial<BundleDocument>>('GET', '/bundles', { query });
  if (answer.data === undefined) {
    return { kind: 'value', value: (answer.meta?.['result'] ?? null) as string | number | null };
  }
  const bundles = answer.data.map((one) => flatten(one, answer.included) as Bundle);
  return { kind: 'bundles', bundles };
}

/** Bundles of the asking user with this command and these dependencies, oldest first (rest-api.md §11.4). */
export async function findSameRuns(
  client: RestClient,
  command: string,
  dependencies: readonly { child_path: string; parent_uuid: string }[],
): Promise<Bundle[]> {
  const query = { command, dependencies: JSON.stringify(dependencies) };
  return flattenAll<BundleAttributes>(
    await client.json<BundleDocument>('GET', '/bundles', { query }),
  ) as Bundle[];
}

/** A run that need not be executed again (new in Sheaf: `POST /rest/bundles/memoized`). */
export type SameResult =
  | { readonly kind: 'ready' | 'in-flight'; readonly bundle: Bundle }
  /** `reason`: why nothing could be found. */
  | { readonly kind: 'none'; readonly reason: string | undefined };

/**
 * Asks for a run with the same result as this one would have: the same command on the same contents in the same image.
 * @throws SheafError `not-found` or `method-not-allowed` from servers that do not know the question
 */
export async function findSameResult(client: RestClient, run: NewBundle): Promise<SameResult> {
  const json = { data: [{ type: 'bundles', attributes: run }] };
  const answer = await client.json<BundleDocument>('POST', '/bundles/memoized', { json });
  const [bundle] = flattenAll<BundleAttributes>(answer);
  const { found, reason } = answer.meta ?? {};
  if (bundle === undefined) return { kind: 'none', reason: typeof reason === 'string' ? reason : undefined };
  return { kind: found === 'in-flight' ? 'in-flight' : 'ready', bundle: bundle as Bundle };
}

export interface NewBundle {
  readonly bundle_type: string;
  readonly command?: string;
  readonly metadata: Readonly<Record<string, MetadataValue>>;
  readonly dependencies?: readonly { child_path: string; parent_uuid: string; parent_path: string }[];
}

export interface Placement {
  /** Uuid of the worksheet the bundle is put on. */
  readonly worksheet: string;
  /** Where on the worksheet; at its end unless given. */
  readonly after_sort_key?: number | undefined;
  /** Contents follow: the bundle begins as `uploading`. */
  readonly wait_for_upload?: boolean | undefined;
  /** Uuid of the store its contents are said to be on. */
  readonly bundle_store?: string | undefined;
}

export async function createBundle(
  client: RestClient,
  bundle: NewBundle,
  placement: Placement,
): Promise<Bundle> {
  const json = { data: [{ type: 'bundles', attributes: bundle }] };
  const created = await client.json<BundleDocument>('POST', '/bundles', { query: { ...placement }, json });
  const [first] = flattenAll<BundleAttributes>(created);
  if (first === undefined)
    throw new Error('The server did not answer with the bundle that was to be created.');
  return first as Bundle;
}

export interface DeleteOptions {
  readonly force?: boolean;
  readonly recursive?: boolean;
  readonly dataOnly?: boolean;
  readonly dryRun?: boolean;
}

/** Deletes and answers all uuids that went, or would go, descendants included (rest-api.md §15). */
export async function deleteBundles(
  client: RestClient,
  uuids: readonly string[],
  options: DeleteOptions = {},
): Promise<string[]> {
  const answer = await client.json<{ meta?: { ids?: string[] } }>('DELETE', '/bundles', {
    query: {
      force: options.force ?? false,
      recursive: options.recursive ?? false,
      'data-only': options.dataOnly ?? false,
      'dry-run': options.dryRun ?? false,
    },
    json: { data: uuids.map((id) => ({ id, type: 'bundles' })) },
  });
  return answer.meta?.ids ?? [];
}

export type BundleAction =
  | { readonly type: 'kill'; readonly uuid: string }
  | { readonly type: 'write'; readonly uuid: string; readonly subpath: string; readonly string: string };

/** Asks for actions on runs, in order (rest-api.md §22). */
export async function actOnBundles(client: RestClient, actions: readonly BundleAction[]): Promise<void> {
  const data = actions.map((attributes) => ({ type: 'bundle-actions', attributes }));
  await client.json('POST', '/bundle-actions', { json: { data } });
}

/**
 * Waits at the server until the bundle is not what was `seen` any more, or the time is over (new in Sheaf).
 * @param seconds at most 55, so that proxies do not cut the connection.
 */
export async function awaitChange(
  client: RestClient,
  uuid: string,
  seen: Pick<BundleChange, 'version' | 'details_tag'>,
  seconds: number,
  signal?: AbortSignal,
): Promise<BundleChange> {
  const answer = await client.json<BundleChange | { data: BundleChange }>('GET', `/bundles/${uuid}/changes`, {
    query: { after: seen.version, seen: seen.details_tag, timeout: seconds },
    idleTimeout: (seconds + 30) * 1000,
    ...(signal === undefined ? {} : { signal }),
  });
  return 'data' in answer ? answer.data : answer;
}

/** Sends text to a TCP port of a running bundle; the answer is whatever comes back, as it is (rest-api.md §21). */
export function netcat(
  client: RestClient,
  uuid: string,
  port: number,
  message: string,
): Promise<TransportResponse> {
  return client.stream('PUT', `/bundles/${uuid}/netcat/${port}/`, {
    json: { message },
    headers: { 'accept-encoding': 'identity' },
    idleTimeout: 0,
  });
}
