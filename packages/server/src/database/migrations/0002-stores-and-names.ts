import type { Migration } from '../migrate.ts';

/** Named stores and what is on them; names that differ only in case count as taken (rest-api.md §9.1, §17). */
export const storesAndNames: Migration = {
  name: '0002-stores-and-names',
  statements: ({ integer }) => [
    `create table bundle_store (
      uuid text primary key, owner_id text not null, name text not null,
      storage_type text not null, storage_format text not null, url text, authentication text,
      created_at ${integer} not null)`,
    `create unique index bundle_store_name on bundle_store (name)`,
    `create table bundle_location (
      bundle_uuid text not null references bundle(uuid) on delete cascade,
      store_uuid text not null references bundle_store(uuid), is_dir integer,
      primary key (bundle_uuid, store_uuid))`,
    `create index bundle_location_store on bundle_location (store_uuid)`,
    `alter table "user" add column avatar_id text`,
    `alter table "user" add column notifications integer not null default 2`,
    `alter table "user" add column number ${integer} not null default 0`,
    `create unique index user_name_any_case on "user" (lower(name))`,
    `create index user_email_any_case on "user" (lower(email))`,
    `create unique index user_group_name_any_case on user_group (lower(name))`,
    `create unique index worksheet_name_any_case on worksheet (lower(name))`,
    `create index bundle_name_any_case on bundle (lower(name), id)`,
    `create index worksheet_item_subworksheet on worksheet_item (subworksheet_uuid)`,
  ],
};
