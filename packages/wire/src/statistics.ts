import { z } from 'zod';

/*
 * What a run used over time, attempt by attempt:
 *
 *   GET /rest/bundles/<uuid>/statistics[?after=<at>]   → { data: runStatistics }; `after` leaves out what is not later
 */

/** `at` in milliseconds since the epoch; `cpu` in cores; `memory` and `disk` in bytes; `user` and `system` in seconds so far. */
export const statisticsColumns = ['at', 'cpu', 'memory', 'disk', 'user', 'system'] as const;

const known = z.number().nullable();
export const statisticsPoint = z.tuple([z.number(), known, known, known, known, known]);

export const statisticsAttempt = z.object({
  epoch: z.int(),
  /** Seconds from one point to the next. The longer a run gets, the coarser it is. */
  resolution: z.number(),
  /** Oldest first; each as `columns` says. */
  points: z.array(statisticsPoint),
});

export const runStatistics = z.object({
  type: z.literal('run-statistics'),
  /** Uuid of the run. */
  id: z.string(),
  attributes: z.object({
    columns: z.array(z.string()),
    /** Oldest first. */
    attempts: z.array(statisticsAttempt),
  }),
});

export type StatisticsPoint = z.infer<typeof statisticsPoint>;
export type StatisticsAttempt = z.infer<typeof statisticsAttempt>;
export type RunStatistics = z.infer<typeof runStatistics>;
