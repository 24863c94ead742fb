import { generatedKey, userKey, type MetadataKey, type MetadataType } from './metadata-key.ts';
import type { BundleType } from './states.ts';

/*
 * Every metadata key of every bundle type, in the order `cl info` shows them (bundles.md §4.4, cli.md §6). This table is
 * the only place that knows them: flags, validation, defaults, forms and help are all derived from it.
 */

const common = [
  userKey('name', 'str', 'Short name to refer to the bundle by; it need not be unique.', {
    clientDefault: undefined,
  }),
  userKey('description', 'str', 'What the bundle is about, in your own words.'),
  userKey('tags', 'list', 'Labels to find the bundle by.'),
  generatedKey('created', 'int', 'When the bundle was created.', { format: 'date' }),
  generatedKey('data_size', 'int', 'How much the contents weigh.', { format: 'size' }),
  generatedKey('failure_message', 'str', 'Why the bundle did not succeed.'),
  generatedKey('error_traceback', 'str', 'Where in the server a failed upload or make went wrong.', {
    hidden: true,
  }),
];

function store(help: string, locked = false): MetadataKey {
  return userKey('store', 'str', help, { optional: true, hidden: true, locked });
}

const uploaded = [
  userKey('license', 'str', 'Licence under which the contents may be used.'),
  userKey('source_url', 'str', 'Where the contents were fetched from.'),
  userKey('link_url', 'str', 'Path on the server host that the bundle points to instead of holding a copy.', {
    optional: true,
  }),
  userKey('link_format', 'str', 'How the linked path is read; only `raw` is understood.', { optional: true }),
  store('Bundle store that holds the contents.'),
];

const derived = [
  userKey('allow_failed_dependencies', 'bool', 'Start even when a dependency has failed or was killed.', {
    locked: true,
  }),
];

const make = [
  generatedKey('staged_status', 'str', 'What the bundle is waiting for.'),
  store('Bundle store that holds the contents.'),
];

const requests = [
  userKey('request_docker_image', 'str', 'Docker image to run in: a tag or a digest.', {
    locked: true,
    identifying: true,
  }),
  userKey(
    'request_time',
    'str',
    'Longest the command may run, e.g. 30m or 2d; without it your quota is the limit.',
    {
      locked: true,
      format: 'duration',
    },
  ),
  userKey('request_memory', 'str', 'Memory the command may use, e.g. 512m or 4g.', {
    locked: true,
    format: 'size',
    clientDefault: '2g',
  }),
  userKey(
    'request_disk',
    'str',
    'Disk space the results may take, e.g. 10g; without it your quota is the limit.',
    {
      locked: true,
      format: 'size',
    },
  ),
  // New in Sheaf.
  userKey(
    'request_shared_memory',
    'str',
    'Size of /dev/shm, e.g. 4g, as part of the memory; without it the worker decides.',
    { locked: true, format: 'size', optional: true, clientDefault: null },
  ),
  userKey('request_cpus', 'int', 'Processor cores to reserve.', {
    locked: true,
    clientDefault: 1,
    minimum: 0,
  }),
  userKey('request_gpus', 'int', 'GPUs to reserve.', { locked: true, minimum: 0 }),
  userKey('request_queue', 'str', 'Tag of the workers the run should go to.', {
    locked: true,
    identifying: true,
  }),
  userKey('request_priority', 'int', 'Runs with higher numbers go first among your own; may be negative.', {
    locked: true,
  }),
  userKey('request_network', 'bool', 'Whether the command may reach the network.', {
    locked: true,
    clientDefault: true,
  }),
];

function seconds(key: string, help: string): MetadataKey {
  return generatedKey(key, 'float', help, { format: 'duration' });
}

const run = [
  ...requests,
  generatedKey('cpu_usage', 'float', 'Processor cores in use, 1.0 being one whole core.'),
  generatedKey('memory_usage', 'float', 'Part of the memory limit in use, from 0 to 1.'),
  userKey('exclude_patterns', 'list', 'Files to leave out of the results, as for tar --exclude.', {
    locked: true,
  }),
  store('Bundle store that will hold the results.', true),
  generatedKey('actions', 'list', 'What was asked of the run while it was under way.'),
  seconds('time', 'How long the command has run.'),
  seconds('time_user', 'Processor time spent by the command itself.'),
  seconds('time_system', 'Processor time spent by the kernel for the command.'),
  generatedKey('memory', 'float', 'Memory in use.', { format: 'size' }),
  generatedKey('memory_max', 'float', 'Most memory that was in use at once.', { format: 'size' }),
  generatedKey('started', 'int', 'When a worker began with the run.', { format: 'date' }),
  generatedKey('last_updated', 'int', 'When the server last heard about the run.', { format: 'date' }),
  generatedKey('run_status', 'str', 'What the worker is doing for the run.'),
  generatedKey('staged_status', 'str', 'What the run is waiting for.'),
  seconds('time_preparing', 'Time spent fetching dependencies and the image.'),
  seconds('time_running', 'Time spent running the command.'),
  seconds('time_cleaning_up', 'Time spent removing the container.'),
  seconds('time_uploading_results', 'Time spent sending the results.'),
  generatedKey('docker_image', 'str', 'Digest of the image the command ran in.', { identifying: true }),
  // New in Sheaf: a sandbox has no image, and a result must say so.
  generatedKey('runtime', 'str', 'How the command was executed: docker, or sandbox.'),
  // New in Sheaf: runs with the same key have the same result (docs/decisions/0721-action-key.md).
  generatedKey('action_key', 'str', 'Digest of everything that determines the result of the run.', {
    detail: true,
  }),
  generatedKey('exitcode', 'int', 'Exit code of the command.'),
  generatedKey('job_handle', 'str', 'Legacy name of the run on its worker.', { identifying: true }),
  generatedKey('remote', 'str', 'Worker that has the run.', { identifying: true }),
  generatedKey('remote_history', 'list', 'Hosts that have had the run, oldest first.', { identifying: true }),
  generatedKey('on_preemptible_worker', 'bool', 'Whether the worker may be taken away at any time.', {
    identifying: true,
  }),
];

const table: Readonly<Record<BundleType, readonly MetadataKey[]>> = {
  dataset: [...common, ...uploaded],
  program: [...common, ...uploaded],
  make: [...common, ...derived, ...make],
  run: [...common, ...derived, ...run],
};

const byKey = new Map<BundleType, ReadonlyMap<string, MetadataKey>>(
  (Object.keys(table) as BundleType[]).map((type) => [
    type,
    new Map(table[type].map((specification) => [specification.key, specification])),
  ]),
);

const typeByKey = new Map(
  Object.values(table).flatMap((keys) =>
    keys.map((specification) => [specification.key, specification.type]),
  ),
);

/** The metadata keys of a type, in display order. */
export function metadataKeys(type: BundleType): readonly MetadataKey[] {
  return table[type];
}

export function metadataKey(type: BundleType, key: string): MetadataKey | undefined {
  return byKey.get(type)?.get(key);
}

/** The value type of a key whatever the bundle type (a key has the same type everywhere); undefined if unknown. */
export function metadataTypeOf(key: string): MetadataType | undefined {
  return typeByKey.get(key);
}

/** The command-line flag of a key: `request_cpus` → `--request-cpus`. */
export function metadataFlag(key: string): string {
  return `--${key.replaceAll('_', '-')}`;
}
