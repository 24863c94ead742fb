import type { Migration } from '../migrate.ts';

export const initial: Migration = {
  name: '0001-initial',
  statements: ({ identity, integer, real, json }) => [
    `create table "user" (
      id text primary key, name text not null unique, email text not null, password_hash text not null,
      first_name text, last_name text, affiliation text, url text,
      is_active integer not null, is_verified integer not null, has_access integer not null,
      time_quota ${real} not null, time_used ${real} not null,
      disk_quota ${integer} not null, disk_used ${integer} not null, parallel_run_quota ${integer} not null,
      joined_at ${integer} not null, last_login_at ${integer})`,
    `create table token (
      hash text primary key, kind text not null, client_id text not null,
      user_id text not null references "user"(id) on delete cascade,
      created_at ${integer} not null, expires_at ${integer} not null, pair text)`,
    `create index token_user on token (user_id, client_id)`,
    `create table user_group (
      uuid text primary key, name text not null, owner_id text, user_defined integer not null)`,
    `create index user_group_name on user_group (name)`,
    `create table group_member (
      group_uuid text not null references user_group(uuid) on delete cascade,
      user_id text not null references "user"(id) on delete cascade,
      is_admin integer not null, primary key (group_uuid, user_id))`,
    `create index group_member_user on group_member (user_id)`,
    `create table bundle (
      id ${identity}, uuid text not null unique, bundle_type text not null, owner_id text, command text,
      state text not null, metadata ${json} not null, name text not null, created_at ${integer} not null,
      data_size ${integer} not null, frozen_at ${integer}, is_anonymous integer not null,
      root_entry ${json}, contents_digest text, version ${integer} not null, changed_at ${integer} not null,
      epoch ${integer} not null, kill_requested_at ${integer}, upload_failure text)`,
    `create index bundle_waiting on bundle (state, id) where state not in ('ready', 'failed', 'killed')`,
    `create index bundle_owner on bundle (owner_id, id)`,
    `create index bundle_name on bundle (name, id)`,
    `create index bundle_contents on bundle (contents_digest)`,
    `create table dependency (
      id ${identity}, child_uuid text not null references bundle(uuid) on delete cascade,
      child_path text not null, parent_uuid text not null, parent_path text not null)`,
    `create index dependency_child on dependency (child_uuid, id)`,
    `create index dependency_parent on dependency (parent_uuid)`,
    `create table bundle_permission (
      id ${identity}, group_uuid text not null references user_group(uuid) on delete cascade,
      bundle_uuid text not null references bundle(uuid) on delete cascade,
      permission integer not null, unique (bundle_uuid, group_uuid))`,
    `create index bundle_permission_group on bundle_permission (group_uuid)`,
    `create table worksheet (
      id ${identity}, uuid text not null unique, name text not null, owner_id text, title text, tags ${json} not null,
      frozen_at ${integer}, is_anonymous integer not null, created_at ${integer} not null, changed_at ${integer} not null)`,
    `create index worksheet_name on worksheet (name)`,
    `create index worksheet_owner on worksheet (owner_id)`,
    `create table worksheet_item (
      id ${identity}, worksheet_uuid text not null references worksheet(uuid) on delete cascade,
      sort_key ${integer} not null, type text not null, value text not null,
      bundle_uuid text, subworksheet_uuid text)`,
    `create index worksheet_item_place on worksheet_item (worksheet_uuid, sort_key, id)`,
    `create index worksheet_item_bundle on worksheet_item (bundle_uuid)`,
    `create table worksheet_permission (
      id ${identity}, group_uuid text not null references user_group(uuid) on delete cascade,
      worksheet_uuid text not null references worksheet(uuid) on delete cascade,
      permission integer not null, unique (worksheet_uuid, group_uuid))`,
    `create index worksheet_permission_group on worksheet_permission (group_uuid)`,
    `create table worker (
      user_id text not null references "user"(id) on delete cascade, worker_id text not null,
      socket_id ${integer} not null, checkin_at ${integer} not null, tag text, group_uuid text,
      cpus ${real} not null, gpus ${real} not null, memory_bytes ${integer} not null, free_disk_bytes ${integer},
      shared_file_system integer not null, tag_exclusive integer not null, exit_after_num_runs ${integer} not null,
      is_terminating integer not null, preemptible integer not null, hostname text, protocol integer not null,
      slots ${integer}, version text, runtime ${json}, dependencies ${json} not null,
      primary key (user_id, worker_id))`,
    `create table assignment (
      run_uuid text primary key references bundle(uuid) on delete cascade,
      user_id text not null, worker_id text not null, epoch ${integer} not null,
      assigned_at ${integer} not null, started_at ${integer}, reported_at ${integer}, omissions integer not null)`,
    `create index assignment_worker on assignment (user_id, worker_id)`,
    `create table message (
      id ${identity}, user_id text not null, worker_id text not null, run_uuid text not null, epoch ${integer},
      type text not null, body ${json} not null, created_at ${integer} not null,
      delivered_at ${integer}, expires_at ${integer})`,
    `create index message_worker on message (user_id, worker_id, id)`,
    `create index message_run on message (run_uuid)`,
    `create table socket (
      id ${identity}, user_id text not null, worker_id text not null, run_uuid text, created_at ${integer} not null)`,
    `create index socket_worker on socket (user_id, worker_id)`,
    `create table bundle_event (
      id ${identity}, bundle_uuid text not null references bundle(uuid) on delete cascade,
      at ${integer} not null, kind text not null, details ${json} not null)`,
    `create index bundle_event_bundle on bundle_event (bundle_uuid, id)`,
    `create table blob_sender (
      user_id text not null, digest text not null, size ${integer} not null, primary key (user_id, digest))`,
    `create index blob_sender_size on blob_sender (user_id, size)`,
    `create table transfer_lease (
      bundle_uuid text not null, digest text not null, expires_at ${integer} not null,
      primary key (bundle_uuid, digest))`,
    `create table setting (key text primary key, value text not null)`,
  ],
};
