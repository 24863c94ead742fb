import type { Migration } from '../migrate.ts';

/** Which of several workers of one name it is (execution.md §31.3). */
export const workerInstance: Migration = {
  name: '0007-worker-instance',
  statements: () => [`alter table worker add column instance text`],
};
