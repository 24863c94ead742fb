import type { Migration } from '../migrate.ts';

const isFinal = `state in ('ready', 'failed', 'killed')`;

/**
 * Bundles that are not final are found by an index which a question by state alone does not use: it has to say `is_final = 0` as well
 * (docs/decisions/0816-open-bundles.md). PostgreSQL writes all indexes of a row anew when a column of one of them has changed; there no
 * index has the state, so that a move writes the row only, beside the old one where its page has room. On SQLite the index has all that
 * is asked when everything that waits is looked over.
 */
export const openBundles: Migration = {
  name: '0009-open-bundles',
  statements: (dialect) => [
    'drop index bundle_waiting',
    ...(dialect.name === 'postgresql'
      ? [
          `alter table bundle add column is_final integer not null
            generated always as (case when ${isFinal} then 1 else 0 end) stored`,
          'alter table bundle set (fillfactor = 75)',
          'create index bundle_open on bundle (created_at, id) where is_final = 0',
        ]
      : [
          `alter table bundle add column is_final integer not null generated always as (${isFinal}) virtual`,
          'create index bundle_open on bundle (state, created_at, id, uuid, version) where is_final = 0',
        ]),
  ],
};
