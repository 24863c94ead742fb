import type { Migration } from '../migrate.ts';

/** Runs whose directory the worker shares with the server (execution.md §24). */
export const sharedFilesystem: Migration = {
  name: '0005-shared-filesystem',
  statements: ({ integer, json }) => [
    `create table shared_run (
      run_uuid text primary key, epoch ${integer} not null, message ${json} not null,
      resumes integer not null, prepared_at ${integer}, contents ${json} not null)`,
  ],
};
