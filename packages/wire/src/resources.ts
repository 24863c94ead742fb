import { z } from 'zod';

/*
 * JSON:API resources as they cross the wire (rest-api.md §2, §10; bundles.md §1.1). What the server reads from clients is
 * parsed with the schemas; what it writes, and what our own client reads, has the interfaces.
 */

export const linkage = z.object({ type: z.string(), id: z.string() });
export const identifierList = z.object({
  data: z.union([z.array(linkage), linkage.transform((one) => [one])]),
});

const metadataValue = z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.null()]);
export type MetadataValue = z.infer<typeof metadataValue>;

export const dependencyInput = z.object({
  child_path: z.string(),
  parent_uuid: z.string(),
  parent_path: z.string().default(''),
});

export const bundleInput = z.object({
  type: z.string(),
  id: z.string().nullish(),
  attributes: z.object({
    uuid: z.string().nullish(),
    bundle_type: z.string(),
    command: z.string().nullish(),
    metadata: z.record(z.string(), metadataValue).default({}),
    dependencies: z.array(dependencyInput).nullish(),
  }),
});
export const bundleCreateRequest = z.object({ data: z.array(bundleInput).min(1) });

export const bundlePatch = z.object({
  type: z.string(),
  id: z.string(),
  attributes: z
    .object({
      metadata: z.record(z.string(), metadataValue).optional(),
      frozen: z.string().nullable().optional(),
      is_anonymous: z.boolean().optional(),
    })
    .default({}),
  relationships: z.object({ owner: z.object({ data: linkage.nullable() }).optional() }).optional(),
});
export const bundlePatchRequest = z.object({ data: z.array(bundlePatch).min(1) });

export const bundleAction = z.object({
  type: z.string(),
  attributes: z.object({
    type: z.enum(['kill', 'write']),
    uuid: z.string(),
    subpath: z.string().optional(),
    string: z.string().optional(),
  }),
});
export const bundleActionRequest = z.object({ data: z.array(bundleAction).min(1) });

export interface Linkage {
  type: string;
  id: string;
}

export interface Resource<Attributes> {
  type: string;
  id: string | null;
  attributes: Attributes;
  relationships?: Record<string, { data: Linkage | Linkage[] | null }>;
  meta?: Record<string, unknown>;
}

export interface Document<Data> {
  data: Data;
  included?: Resource<Record<string, unknown>>[];
  meta?: Record<string, unknown>;
}

export interface DependencyResource {
  child_uuid: string;
  child_path: string;
  parent_uuid: string;
  parent_path: string;
  parent_name: string | null;
  parent_state: string | null;
}

export interface BundleAttributes {
  uuid: string;
  bundle_type: string;
  command: string | null;
  state: string | null;
  state_details: string | null;
  frozen: string | null;
  is_anonymous: boolean | null;
  metadata: Record<string, MetadataValue>;
  dependencies: DependencyResource[];
  args: string | null;
  permission?: number;
  permission_spec?: string;
  /** Grows with every change; the cursor of `GET /rest/bundles/<uuid>/changes?after=<version>` (new in Sheaf). */
  version?: number;
  /** SHA-256 of the contents' root, once they are stored (new in Sheaf). */
  contents_digest?: string | null;
}

export interface UserAttributes {
  user_name: string;
  first_name?: string | null;
  last_name?: string | null;
  email?: string;
  time_quota?: number;
  time_used?: number;
  disk_quota?: number;
  disk_used?: number;
  parallel_run_quota?: number;
}

export interface WorksheetAttributes {
  uuid: string;
  name: string;
  title: string | null;
  frozen: string | null;
  is_anonymous: boolean;
  tags: string[];
  permission?: number;
  permission_spec?: string;
  [key: string]: unknown;
}

/** One row of `GET /rest/workers/info` (execution.md §6.6); what is new stands at the end. */
export interface WorkerInfo {
  user_id: string;
  worker_id: string;
  group_uuid: string | null;
  tag: string | null;
  cpus: number;
  gpus: number;
  memory_bytes: number;
  free_disk_bytes: number | null;
  checkin_time: number;
  socket_id: number;
  run_uuids: string[];
  cpus_in_use: number;
  gpus_in_use: number;
  shared_file_system: boolean;
  tag_exclusive: boolean;
  is_terminating: boolean;
  preemptible: boolean;
  exit_after_num_runs: number;
  runtime: { name: string; images: boolean; description: string } | null;
  slots: number | null;
}

/** One answer of `contents/info` (rest-api.md §18.1). */
export interface TargetInfo {
  name: string;
  type: 'file' | 'directory' | 'link' | '';
  size: number;
  perm: number;
  link?: string;
  contents?: TargetInfo[];
  resolved_target?: { bundle_uuid: string; subpath: string };
}

/** `GET /rest/bundles/<uuid>/changes?after=N&timeout=S` (new in Sheaf): held until something has changed since version N. */
export interface BundleChange {
  uuid: string;
  version: number;
  state: string;
  state_details: string | null;
  /** Given back as `seen`, the answer comes as soon as the details of a run that waits are others; absent from older servers. */
  details_tag?: string;
}

/** An element of `GET /rest/bundles/<uuid>/events` (new in Sheaf): something that happened to a bundle, oldest first. */
export interface BundleEvent {
  /** ISO 8601, server clock. */
  at: string;
  /** Such as `assigned`; more may come. */
  kind: string;
  /** What happened and what happens next, for people. */
  text: string;
  /** The attempt it is about, from 1; null where it is about none. */
  attempt: number | null;
  /** Null where no worker was concerned, or where its name would tell whose an anonymous bundle is. */
  worker_id: string | null;
  host: string | null;
  /** More, for programs. */
  details: Record<string, unknown>;
}
