import type { Generated, GeneratedAlways } from 'kysely';

/*
 * The tables, as queries see them on both engines. Times are milliseconds since the epoch, flags are 0 or 1, JSON is text that the
 * code parses where it reads it, sizes are bytes.
 */

export interface UserTable {
  /** "0" for the root user, else a uuid. */
  id: string;
  name: string;
  email: string;
  password_hash: string;
  first_name: string | null;
  last_name: string | null;
  affiliation: string | null;
  url: string | null;
  is_active: number;
  is_verified: number;
  has_access: number;
  /** Seconds. */
  time_quota: number;
  time_used: number;
  disk_quota: number;
  disk_used: number;
  parallel_run_quota: number;
  joined_at: number;
  last_login_at: number | null;
  /** Uuid of a bundle. */
  avatar_id: string | null;
  /** 0 none, 1 important, 2 general. */
  notifications: number;
  /** Grows with each new user; what `id` means in a search. */
  number: number;
}

/** Bearer and refresh tokens; only their SHA-256 is kept. */
export interface TokenTable {
  hash: string;
  kind: 'access' | 'refresh';
  client_id: string;
  user_id: string;
  created_at: number;
  expires_at: number;
  /** Hash of the access token issued together with a refresh token. */
  pair: string | null;
}

export interface GroupTable {
  uuid: string;
  name: string;
  owner_id: string | null;
  user_defined: number;
}

export interface GroupMemberTable {
  group_uuid: string;
  user_id: string;
  is_admin: number;
}

export interface BundleTable {
  id: Generated<number>;
  uuid: string;
  bundle_type: string;
  owner_id: string | null;
  command: string | null;
  state: string;
  /** Whether the state is one; see `isOpen`. */
  is_final: GeneratedAlways<number>;
  /** JSON object of all set metadata keys, `name` and `created` included. */
  metadata: string;
  /** Copies of metadata that are searched and sorted by; kept by the transition and update functions only. */
  name: string;
  created_at: number;
  data_size: number;
  frozen_at: number | null;
  is_anonymous: number;
  /** JSON entry of the stored contents; null while there are none. */
  root_entry: string | null;
  /** Digest of root_entry, for look-ups. */
  contents_digest: string | null;
  /** Grows with every change of the row. */
  version: number;
  changed_at: number;
  /** Attempts so far: the epoch of the newest assignment. */
  epoch: number;
  /** Somebody asked for the run's end while it was not final. */
  kill_requested_at: number | null;
  /** A results upload was refused for good: message of it. */
  upload_failure: string | null;
}

export interface DependencyTable {
  id: Generated<number>;
  child_uuid: string;
  child_path: string;
  parent_uuid: string;
  parent_path: string;
}

export interface BundlePermissionTable {
  id: Generated<number>;
  group_uuid: string;
  bundle_uuid: string;
  permission: number;
}

export interface WorksheetTable {
  id: Generated<number>;
  uuid: string;
  name: string;
  owner_id: string | null;
  title: string | null;
  /** JSON array of strings. */
  tags: string;
  frozen_at: number | null;
  is_anonymous: number;
  created_at: number;
  changed_at: number;
}

export interface WorksheetItemTable {
  id: Generated<number>;
  worksheet_uuid: string;
  sort_key: number;
  type: 'markup' | 'bundle' | 'worksheet' | 'directive';
  value: string;
  bundle_uuid: string | null;
  subworksheet_uuid: string | null;
}

export interface WorksheetPermissionTable {
  id: Generated<number>;
  group_uuid: string;
  worksheet_uuid: string;
  permission: number;
}

export interface WorkerTable {
  user_id: string;
  worker_id: string;
  /** The permanent mailbox number that `workers/info` shows. */
  socket_id: number;
  checkin_at: number;
  tag: string | null;
  group_uuid: string | null;
  cpus: number;
  gpus: number;
  memory_bytes: number;
  free_disk_bytes: number | null;
  shared_file_system: number;
  tag_exclusive: number;
  exit_after_num_runs: number;
  is_terminating: number;
  preemptible: number;
  hostname: string | null;
  protocol: number;
  slots: number | null;
  version: string | null;
  /** Work directory the worker lives in; null for original workers. */
  instance: string | null;
  /** JSON of `WorkerRuntime`, null for original workers. */
  runtime: string | null;
  /** JSON array of [parent_uuid, parent_path]. */
  dependencies: string;
  /** Raised with every change but those of `checkin_at`, `free_disk_bytes` and `exit_after_num_runs`. */
  revision: number;
}

/** One attempt of a run on one worker. At most one a run. */
export interface AssignmentTable {
  run_uuid: string;
  user_id: string;
  worker_id: string;
  epoch: number;
  assigned_at: number;
  /** Set by the granted `start_bundle`. */
  started_at: number | null;
  /** Last report about it. */
  reported_at: number | null;
  /** Consecutive check-ins of the worker that did not mention the run. */
  omissions: number;
}

/** What a run was given to execute, and, when it has ended, what that was by digest. */
export interface RunActionTable {
  run_uuid: string;
  /** The attempt it says something about. */
  epoch: number;
  worker_user_id: string;
  worker_id: string;
  /** JSON of the domain's `Action` with what was asked for as its environment. */
  action: string;
  /** The image that was asked for, with tag or digest; the server's default where the run named none. */
  image_reference: string;
  /** What the worker found under that name, once it has used it. */
  image_digest: string | null;
  /** Only of runs that ended `ready`. */
  action_key: string | null;
  settled_at: number | null;
}

/** What the server wants a worker to do; kept until acknowledged. */
export interface MessageTable {
  id: Generated<number>;
  user_id: string;
  worker_id: string;
  run_uuid: string;
  epoch: number | null;
  type: string;
  /** JSON of the worker message without `message_id`. */
  body: string;
  created_at: number;
  delivered_at: number | null;
  /** One-shot messages (reads, writes) are dropped then. */
  expires_at: number | null;
}

/** Mailboxes for answers; kept for a while after use so that late replies are accepted. */
export interface SocketTable {
  id: Generated<number>;
  user_id: string;
  worker_id: string;
  /** Null for a worker's permanent one. */
  run_uuid: string | null;
  created_at: number;
}

/** What happened to a bundle, for people. */
export interface BundleEventTable {
  id: Generated<number>;
  bundle_uuid: string;
  at: number;
  kind: string;
  /** JSON object. */
  details: string;
}

/** Who has sent a blob: have/need answers only about these (design: permissions are on bundles, never on digests). */
export interface BlobSenderTable {
  user_id: string;
  digest: string;
  size: number;
}

/** Blobs of unfinished uploads, so that a sweep leaves them alone. */
export interface TransferLeaseTable {
  bundle_uuid: string;
  digest: string;
  expires_at: number;
}

/** A named place for contents, as clients register it (rest-api.md §17.1). */
export interface BundleStoreTable {
  uuid: string;
  owner_id: string;
  name: string;
  storage_type: string;
  storage_format: string;
  url: string | null;
  authentication: string | null;
  created_at: number;
}

export interface BundleLocationTable {
  bundle_uuid: string;
  store_uuid: string;
  is_dir: number | null;
}

/** A run in a directory that its worker shares with this server: what it was given, and what is laid out for it. */
export interface SharedRunTable {
  run_uuid: string;
  /** The attempt whose directory it is. */
  epoch: number;
  /** JSON of the `run` message, without the paths. */
  message: string;
  /** 1: the attempt goes on in the directory of the one before. */
  resumes: number;
  /** Null until everything is laid out and the message is queued. */
  prepared_at: number | null;
  /** JSON array: names of laid-out contents that the run uses. */
  contents: string;
}

/**
 * What a run used over time. An attempt's series is cut into segments: 1, 2, … are closed, 0 is the end that grows, and knows about
 * the whole.
 */
export interface RunSeriesTable {
  bundle_uuid: string;
  epoch: number;
  segment: number;
  /** Milliseconds of one point. */
  resolution: number;
  /** When the first sample of the attempt was taken. */
  first_at: number;
  /** In segment 0: how many are closed. */
  closed: number;
  /** JSON array of [at − first_at, cores, memory, disk, user, system]. */
  points: string;
}

export interface SettingTable {
  key: string;
  value: string;
}

export interface Tables {
  user: UserTable;
  token: TokenTable;
  user_group: GroupTable;
  group_member: GroupMemberTable;
  bundle: BundleTable;
  dependency: DependencyTable;
  bundle_permission: BundlePermissionTable;
  worksheet: WorksheetTable;
  worksheet_item: WorksheetItemTable;
  worksheet_permission: WorksheetPermissionTable;
  worker: WorkerTable;
  assignment: AssignmentTable;
  run_action: RunActionTable;
  message: MessageTable;
  socket: SocketTable;
  bundle_event: BundleEventTable;
  blob_sender: BlobSenderTable;
  transfer_lease: TransferLeaseTable;
  bundle_store: BundleStoreTable;
  bundle_location: BundleLocationTable;
  shared_run: SharedRunTable;
  setting: SettingTable;
  run_series: RunSeriesTable;
}
