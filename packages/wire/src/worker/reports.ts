import { z } from 'zod';

/*
 * What a worker tells the server (execution.md §4). Lenient on purpose: whatever an original worker leaves out or sends as
 * null gets the default given here, so that one odd report never fails a check-in.
 *
 *   POST /rest/workers/<id>/checkin              checkinRequest → array of worker messages (or null), held while there are none
 *   POST /rest/workers/<id>/report               reportRequest → array of worker messages, never held (protocol 2)
 *   POST /rest/workers/<id>/start_bundle/<uuid>  startBundleRequest → true | false
 *   POST /rest/workers/<id>/reply/<socket>       any JSON
 *   POST /rest/workers/<id>/reply_data/<socket>?header_message=<json>   bytes
 *   POST /rest/workers/<id>/checkout             empty: the worker leaves
 */

const orDefault = <Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) =>
  schema.nullish().transform((given) => given ?? value);

/** Sums of such numbers are still counted exactly. */
const largestAmount = 2 ** 50;

/** A number of things, seconds or bytes, as odd as it may come: no worker may upset a sum, or a database that holds whole numbers. */
const amount = z.number().transform((given) => Math.min(Math.max(given, 0), largestAmount));

export const stageTiming = z.object({
  start: z.number().nullish(),
  end: z.number().nullish(),
  elapsed: z.number().nullish(),
});

export const reportedStates = ['preparing', 'running', 'finalizing', 'ready', 'staged'] as const;

/** Protocol 2: one look at a running command; null where something is not known. */
export const runSample = z.object({
  /** Milliseconds since the epoch, worker clock. */
  at: z.number(),
  /** Cores in use since the sample before. */
  cpu: z.number().nullable(),
  /** Bytes. */
  memory: z.number().nullable(),
  disk: z.number().nullable(),
  /** Seconds of processor time so far. */
  user: z.number().nullable(),
  system: z.number().nullable(),
});

export const runReport = z.object({
  uuid: z.string(),
  state: z.enum(reportedStates),
  run_status: orDefault(z.string(), ''),
  /** Unix seconds, worker clock. */
  bundle_start_time: orDefault(z.number(), 0),
  /** Seconds. */
  container_time_total: orDefault(amount, 0),
  container_time_user: orDefault(amount, 0),
  container_time_system: orDefault(amount, 0),
  docker_image: z.string().nullish(),
  remote: z.string().nullish(),
  exitcode: z.int().nullish(),
  failure_message: z.string().nullish(),
  bundle_profile_stats: z.record(z.string(), stageTiming.nullish()).nullish(),
  /** Cores in use; may exceed 1. */
  cpu_usage: z.number().nullish(),
  /** Fraction of the memory limit. */
  memory_usage: z.number().nullish(),
  /** Bytes; absent means no change. */
  disk_utilization: amount.nullish(),
  /** Protocol 2: bytes, the highest seen. */
  memory_max: amount.nullish(),
  /** Protocol 2: bytes in use. */
  memory: amount.nullish(),
  /** Protocol 2: what was seen since the reports before, oldest first. Sent until an answer has come; what does not fit counts as none. */
  samples: z.array(runSample).nullish().catch(null),
  /** Protocol 2: the attempt this report is about. */
  epoch: z.int().nullish(),
  /** Protocol 2: how the command was executed, e.g. `docker` or `sandbox`. */
  runtime: z.string().nullish(),
  /** Protocol 2: the platform, not the command, is to blame: the run may be tried elsewhere. */
  platform_failure: z.boolean().nullish(),
  /** Protocol 2: why it failed, by the name in the table of causes (domain: failure-cause.ts). */
  failure_cause: z.string().nullish(),
});

export const workerRuntime = z.object({
  name: z.string(),
  /** Whether runs that name an image can be executed. */
  images: z.boolean(),
  /** Plain words for `cl workers`: version, or what it cannot do. */
  description: z.string(),
});

const dependencyKey = z.tuple([z.string(), z.string()]);

export const checkinRequest = z.object({
  tag: z.string().nullish(),
  group_name: z.string().nullish(),
  cpus: orDefault(amount, 0),
  gpus: orDefault(amount, 0),
  memory_bytes: orDefault(amount, 0),
  free_disk_bytes: amount.nullish(),
  dependencies: z
    .union([z.array(dependencyKey), z.object({}).transform(() => [])])
    .nullish()
    .transform((given) => given ?? []),
  hostname: z.string().nullish(),
  /** Checked one by one with `runReport`, so that a bad one is skipped and the others count. */
  runs: orDefault(z.array(z.unknown()), []),
  shared_file_system: orDefault(z.boolean(), false),
  tag_exclusive: orDefault(z.boolean(), false),
  exit_after_num_runs: orDefault(amount, 999_999_999),
  is_terminating: orDefault(z.boolean(), false),
  preemptible: orDefault(z.boolean(), false),
  /** 2 for workers that acknowledge messages and can be held for long. */
  protocol: z.int().nullish(),
  ack: orDefault(z.array(z.int()), []),
  slots: z.int().nullish(),
  version: z.string().nullish(),
  /** Protocol 2: the work directory the worker lives in, by a random name that never changes: tells it from others of its id. */
  instance: z.string().max(127).nullish(),
  runtime: workerRuntime.nullish(),
  /** Seconds the worker is ready to be held; 0 asks for an immediate answer. */
  hold: z.number().min(0).max(60).nullish(),
});

export const reportRequest = z.object({ runs: z.array(z.unknown()), ack: orDefault(z.array(z.int()), []) });

export const startBundleRequest = z.object({
  hostname: orDefault(z.string(), ''),
  start_time: orDefault(z.number(), 0),
  epoch: z.int().nullish(),
});

/** The answer to a read that could not be served. */
export const readFailure = z.object({ error_code: z.int(), error_message: z.string() });

export type StageTiming = z.infer<typeof stageTiming>;
export type RunSample = z.infer<typeof runSample>;
export type RunReport = z.output<typeof runReport>;
export type RunReportInput = z.input<typeof runReport>;
export type CheckinRequest = z.output<typeof checkinRequest>;
export type CheckinInput = z.input<typeof checkinRequest>;
export type WorkerRuntime = z.infer<typeof workerRuntime>;
export type StartBundleRequest = z.output<typeof startBundleRequest>;
