import { z } from 'zod';
import { entry } from '../entry.ts';
import { sessionRequest } from '../session/start.ts';

/*
 * What the server tells a worker (execution.md §5). Shapes are those of the original protocol; what is new stands
 * in extra keys, which original workers ignore. Only workers that announce protocol 2 get `message_id`s to acknowledge
 * and the `follow_file` read.
 */

export const runDependency = z.object({
  parent_uuid: z.string(),
  parent_name: z.string(),
  parent_path: z.string(),
  child_uuid: z.string(),
  child_path: z.string(),
  location: z.string().nullable().optional(),
  /** Protocol 2: the contents the dependency stands for, so that a cached copy needs no question. */
  entry: entry.nullable().optional(),
});

export const runBundle = z.object({
  uuid: z.string(),
  bundle_type: z.literal('run'),
  owner_id: z.string(),
  command: z.string(),
  state: z.string(),
  frozen: z.string().nullable(),
  is_anonymous: z.boolean(),
  args: z.string(),
  location: z.string().nullable().optional(),
  metadata: z.looseObject({ exclude_patterns: z.array(z.string()), store: z.string().nullable() }),
  dependencies: z.array(runDependency),
});

/** Limits of a run: memory and disk in bytes, time in seconds; 0 means no limit for time and disk. */
export const runResources = z.object({
  cpus: z.int(),
  gpus: z.int(),
  docker_image: z.string(),
  time: z.number(),
  memory: z.number(),
  disk: z.number(),
  network: z.boolean(),
  tag: z.string().nullable(),
  tag_exclusive: z.boolean(),
  runs_left: z.null(),
  /** Protocol 2: whether the run named its image itself (`docker_image` is the server's default otherwise). */
  image_requested: z.boolean().optional(),
  /** Protocol 2: bytes of /dev/shm, where the run asks for them; the worker's own setting counts otherwise. */
  shared_memory: z.number().optional(),
});

const delivery = { message_id: z.int().optional() };

export const runMessage = z.object({
  ...delivery,
  type: z.literal('run'),
  /** Protocol 2: the attempt this is; sent back with everything about it. */
  epoch: z.int().optional(),
  /** Protocol 2, shared filesystem: a file with this text, by which the worker sees that the paths are the server's. */
  shared_marker: z.object({ path: z.string(), text: z.string() }).optional(),
  bundle: runBundle,
  resources: runResources,
});

export const killMessage = z.object({
  ...delivery,
  type: z.literal('kill'),
  uuid: z.string(),
  kill_message: z.string().optional(),
});

export const markFinalizedMessage = z.object({
  ...delivery,
  type: z.literal('mark_finalized'),
  uuid: z.string(),
});

export const readArguments = z.discriminatedUnion('type', [
  z.object({ type: z.literal('get_target_info'), depth: z.int().min(0) }),
  z.object({ type: z.literal('stream_directory') }),
  z.object({ type: z.literal('stream_file') }),
  z.object({ type: z.literal('read_file_section'), offset: z.int().min(0), length: z.int().min(0) }),
  z.object({
    type: z.literal('summarize_file'),
    num_head_lines: z.int().min(0),
    num_tail_lines: z.int().min(0),
    max_line_length: z.int().min(1),
    truncation_text: z.string().nullable(),
  }),
  /** Protocol 2: raw bytes (not gzipped) from `offset` on, as they are written, until the run's command has ended. */
  z.object({ type: z.literal('follow_file'), offset: z.int().min(0) }),
]);

export const readMessage = z.object({
  ...delivery,
  type: z.literal('read'),
  uuid: z.string(),
  socket_id: z.int(),
  path: z.string(),
  read_args: readArguments,
});

export const netcatMessage = z.object({
  ...delivery,
  type: z.literal('netcat'),
  uuid: z.string(),
  socket_id: z.int(),
  port: z.int(),
  message: z.string(),
  /** Protocol 2: what to send where it is no text; `message` is empty then. */
  message_base64: z.base64().optional(),
});

export const writeMessage = z.object({
  ...delivery,
  type: z.literal('write'),
  uuid: z.string(),
  subpath: z.string(),
  string: z.string(),
});

/**
 * Protocol 2, a hint: the run waits, and this worker will probably get it, so its image and dependencies may be fetched now.
 * Nothing is promised by it, and nothing is answered.
 */
export const prefetchMessage = z.object({
  ...delivery,
  type: z.literal('prefetch'),
  /** The waiting run. */
  uuid: z.string(),
  docker_image: z.string(),
  image_requested: z.boolean(),
  dependencies: z.array(
    z.object({ parent_uuid: z.string(), parent_path: z.string(), entry: entry.nullable() }),
  ),
});

/**
 * Protocol 2: somebody wants a command started beside the run's own. The worker opens the WebSocket
 * `/rest/workers/<id>/session/<socket_id>` and speaks the frames of `session/frames.ts` over it; it refuses there, too.
 */
export const sessionMessage = z.object({
  ...delivery,
  ...sessionRequest.shape,
  type: z.literal('session'),
  uuid: z.string(),
  socket_id: z.int(),
});

/** Everything a check-in can be answered with. */
export const workerMessage = z.discriminatedUnion('type', [
  runMessage,
  killMessage,
  markFinalizedMessage,
  readMessage,
  netcatMessage,
  writeMessage,
  prefetchMessage,
  sessionMessage,
]);

export type RunDependency = z.infer<typeof runDependency>;
export type RunBundle = z.infer<typeof runBundle>;
export type RunResources = z.infer<typeof runResources>;
export type RunMessage = z.infer<typeof runMessage>;
export type ReadArguments = z.infer<typeof readArguments>;
export type ReadMessage = z.infer<typeof readMessage>;
export type NetcatMessage = z.infer<typeof netcatMessage>;
export type WriteMessage = z.infer<typeof writeMessage>;
export type PrefetchMessage = z.infer<typeof prefetchMessage>;
export type SessionMessage = z.infer<typeof sessionMessage>;
export type WorkerMessage = z.infer<typeof workerMessage>;
