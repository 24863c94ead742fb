import type { Migration } from '../migrate.ts';

/** Tells whether a worker has said something new about itself since its record was read. */
export const workerRevision: Migration = {
  name: '0008-worker-revision',
  statements: (dialect) => [`alter table worker add column revision ${dialect.integer} not null default 0`],
};
