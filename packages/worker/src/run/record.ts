/** All that is known about a run this worker holds, as it is kept on disk: a restarted worker goes on from it. */
import { failureCauseNames, isPlatformFailure, type FailureCause } from '@sheaf/domain';
import { runMessage } from '@sheaf/wire';
import { z } from 'zod';

/**
 * Where a run is. `restaged` is given back to the server; `dropped` belongs to somebody else by now and leaves without a word.
 */
export const steps = [
  'prepare',
  'start',
  'watch',
  'collect',
  'upload',
  'finish',
  'restaged',
  'dropped',
] as const;
export type Step = (typeof steps)[number];

/** Whether the command runs, or still will. */
export function isExecuting(step: Step): boolean {
  return step === 'prepare' || step === 'start' || step === 'watch';
}

/** The stages whose times the server keeps (execution.md §4.2, §17.1). */
export const stages = ['PREPARING', 'RUNNING', 'CLEANING_UP', 'UPLOADING_RESULTS', 'FINALIZING'] as const;
export type Stage = (typeof stages)[number];

/** Milliseconds since the epoch. */
const stageTimes = z.object({ start: z.number(), end: z.number().nullable() });

const killCause = z.object({
  /** Who wants it: the server, a limit of the run, or the worker itself for one of the two steps above. */
  kind: z.enum(['request', 'limit', 'restage', 'drop']),
  message: z.string(),
});
export type KillCause = z.infer<typeof killCause>;

const allocation = z.object({ cpus: z.array(z.int()), gpus: z.array(z.string()) });
const preparedImage = z.object({ id: z.string(), digest: z.string().nullable(), size: z.number() });
const runHandle = z.object({
  runtime: z.string(),
  uuid: z.string(),
  epoch: z.int(),
  data: z.record(z.string(), z.unknown()),
});
const runExit = z.object({
  exitCode: z.int().nullable(),
  outOfMemory: z.boolean(),
  message: z.string().nullable(),
  startedAt: z.number().nullable(),
  finishedAt: z.number().nullable(),
  interrupted: z.boolean().optional(),
});
const mount = z.object({ source: z.string(), target: z.string() });
const link = z.object({ path: z.string(), target: z.string() });

/**
 * Format of the record. Fields may be added with a default; whatever an older worker would misread takes the next number, and is
 * then refused by it.
 */
export const recordVersion = 1;

export const runRecord = z.object({
  version: z.literal(recordVersion),
  uuid: z.string(),
  epoch: z.int(),
  message: runMessage,
  step: z.enum(steps),
  /** Milliseconds since the epoch, as all times here. */
  acceptedAt: z.number(),
  stages: z.partialRecord(z.enum(stages), stageTimes),
  allocation: allocation.nullable(),
  /** The runtime that executes it, once that is decided. */
  runtime: z.string().nullable(),
  /** Why it is not executed in an image, for the user. */
  note: z.string().nullable(),
  image: preparedImage.nullable(),
  /** Names of the cached dependencies it uses. */
  cached: z.array(z.string()),
  mounts: z.array(mount),
  links: z.array(link),
  /** Directories made for links. */
  made: z.array(z.string()),
  handle: runHandle.nullable(),
  startedAt: z.number().nullable(),
  finishedAt: z.number().nullable(),
  exit: runExit.nullable(),
  /** Nothing of it is left in the runtime. */
  destroyed: z.boolean(),
  failure: z.string().nullable(),
  platformFailure: z.boolean(),
  /** Why it failed, where this worker knows more than an exit code. */
  failureCause: z.enum(failureCauseNames).nullable().default(null).catch(null),
  /** The server does not want the results, and never will: they are kept here for a while. */
  unsent: z.boolean().default(false),
  kill: killCause.nullable(),
  usage: z.object({
    /** Seconds. */
    cpuUser: z.number(),
    cpuSystem: z.number(),
    /** Bytes. */
    memoryMax: z.number(),
    disk: z.number(),
  }),
});

export type RunRecord = z.infer<typeof runRecord>;

/** Notes why the run fails, and whose fault that is; null for a failure that is the command's own affair. */
export function blame(record: RunRecord, cause: FailureCause | null): void {
  record.failureCause = cause;
  record.platformFailure = cause !== null && isPlatformFailure(cause);
}

/** @param now milliseconds since the epoch */
export function newRecord(message: z.infer<typeof runMessage>, now: number): RunRecord {
  return {
    version: recordVersion,
    uuid: message.bundle.uuid,
    epoch: message.epoch ?? 1,
    message,
    step: 'prepare',
    acceptedAt: now,
    stages: { PREPARING: { start: now, end: null } },
    allocation: null,
    runtime: null,
    note: null,
    image: null,
    cached: [],
    mounts: [],
    links: [],
    made: [],
    handle: null,
    startedAt: null,
    finishedAt: null,
    exit: null,
    destroyed: false,
    failure: null,
    platformFailure: false,
    failureCause: null,
    unsent: false,
    kill: null,
    usage: { cpuUser: 0, cpuSystem: 0, memoryMax: 0, disk: 0 },
  };
}
