import type { Migration } from '../migrate.ts';

/** What runs use over time; goes with the bundle. */
export const runSeries: Migration = {
  name: '0003-run-series',
  statements: ({ integer }) => [
    `create table run_series (
      bundle_uuid text not null references bundle(uuid) on delete cascade,
      epoch integer not null, segment integer not null, resolution ${integer} not null,
      first_at ${integer} not null, closed integer not null, points text not null,
      primary key (bundle_uuid, epoch, segment))`,
  ],
};
