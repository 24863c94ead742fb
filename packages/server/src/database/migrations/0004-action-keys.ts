import type { Migration } from '../migrate.ts';

/** What determined each run's result, so that the same need not run again (docs/decisions/0721-action-key.md). */
export const actionKeys: Migration = {
  name: '0004-action-keys',
  statements: (dialect) => [
    `create table run_action (
      run_uuid text primary key references bundle(uuid) on delete cascade,
      epoch integer not null, worker_user_id text not null, worker_id text not null,
      action text not null, image_reference text not null,
      image_digest text, action_key text, settled_at ${dialect.integer})`,
    `create index run_action_key on run_action (action_key) where action_key is not null`,
    `create index run_action_image on run_action (image_reference, settled_at) where image_digest is not null`,
    `create index bundle_command on bundle ${dialect.equalityIndex('command')} where command is not null`,
  ],
};
