import { failure, success, type Outcome } from '../outcome.ts';
import type { Metadata, MetadataValue } from '../bundle/metadata-key.ts';
import { parseDuration } from '../units/duration.ts';
import { parseSize } from '../units/size.ts';

/** What a run needs, after defaults (execution.md §12.4). Memory and disk in bytes, time in seconds. */
export interface ResourceRequest {
  cpus: number;
  gpus: number;
  memory: number;
  /** 0: no limit. */
  disk: number;
  /** 0: no limit. */
  time: number;
  /** With a tag or digest. */
  image: string;
  /** The run named its image itself; otherwise `image` is the server's default. */
  imageRequested: boolean;
  network: boolean;
  /** Bytes of /dev/shm; undefined leaves them to the worker. Part of `memory`, so nothing more is booked. */
  sharedMemory: number | undefined;
  /** As written in `request_queue`, perhaps with `tag=` in front; empty for none. */
  queue: string;
  /** Larger first, 0 when not given. */
  priority: number;
}

/** The `workers` settings of a server; 0 means no bound. */
export interface RequestSettings {
  defaultCpuImage: string;
  defaultGpuImage: string;
  maxTime: number;
  maxMemory: number;
  minMemory: number;
  maxDisk: number;
}

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;

export const defaultRequestSettings: RequestSettings = {
  defaultCpuImage: 'codalab/default-cpu:latest',
  defaultGpuImage: 'codalab/default-gpu:latest',
  maxTime: 0,
  maxMemory: 0,
  minMemory: 4 * mebibyte,
  maxDisk: 0,
};

const defaultMemory = 2 * gibibyte;

/**
 * Reads the requests of a run. Metadata that were checked when they were stored always succeed; others (imported,
 * repaired by hand) get a problem that concerns this run alone.
 *
 * @param left the owner's time (seconds) and disk (bytes) quota that is left; may be negative.
 */
export function resolveRequest(
  metadata: Metadata,
  settings: RequestSettings,
  left: { time: number; disk: number },
): Outcome<ResourceRequest> {
  const memory = quantity(metadata, 'request_memory', parseSize);
  if (!memory.ok) return memory;
  const disk = quantity(metadata, 'request_disk', parseSize);
  if (!disk.ok) return disk;
  const time = quantity(metadata, 'request_time', parseDuration);
  if (!time.ok) return time;
  const sharedMemory = quantity(metadata, 'request_shared_memory', parseSize);
  if (!sharedMemory.ok) return sharedMemory;
  const cpus = count(metadata, 'request_cpus');
  if (!cpus.ok) return cpus;
  const gpus = count(metadata, 'request_gpus');
  if (!gpus.ok) return gpus;
  const image = text(metadata, 'request_docker_image');
  const fallback = gpus.value > 0 ? settings.defaultGpuImage : settings.defaultCpuImage;
  return success({
    cpus: cpus.value === 0 ? 1 : cpus.value,
    gpus: gpus.value,
    // "0" would be a container without limit that its worker then kills for using more than nothing.
    memory: given(memory.value) ?? defaultMemory,
    // "0" is no way around the server's maximum.
    disk: given(disk.value) ?? defaultLimit(left.disk, settings.maxDisk),
    time: given(time.value) ?? defaultLimit(left.time, settings.maxTime),
    image: withTag(image === '' ? fallback : image),
    imageRequested: image !== '',
    network: metadata['request_network'] === true,
    sharedMemory: given(sharedMemory.value),
    queue: text(metadata, 'request_queue'),
    priority: priorityOf(metadata),
  });
}

/** The metadata that `resolveRequest` reads: runs that agree in them ask for the same. */
const requestKeys = [
  'request_memory',
  'request_disk',
  'request_time',
  'request_shared_memory',
  'request_cpus',
  'request_gpus',
  'request_docker_image',
  'request_network',
  'request_queue',
  'request_priority',
] as const;

/** What a run asks for, without all that is only its own: all that `resolveRequest` needs, and little to keep. */
export function askedOf(metadata: Metadata): Metadata {
  const asked: Record<string, MetadataValue> = {};
  for (const key of requestKeys) {
    const value = metadata[key];
    if (value !== undefined) asked[key] = value;
  }
  return asked;
}

/** Nothing of something is as good as not said. */
function given(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

/** A quota that is overdrawn gives no limit: it kills the run by itself, and a negative limit means nothing. */
function defaultLimit(left: number, maximum: number): number {
  return Math.max(0, Math.min(left - 1, maximum));
}

/** Adds `:latest` unless the image has a tag or digest; a colon before the last slash is a registry's port. */
export function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.includes(':') || name.includes('@') ? image : `${image}:latest`;
}

function text(metadata: Metadata, key: string): string {
  const value = metadata[key];
  return typeof value === 'string' ? value.trim() : '';
}

function quantity(
  metadata: Metadata,
  key: string,
  parse: (text: string) => Outcome<number>,
): Outcome<number | undefined> {
  const given = text(metadata, key);
  if (given === '') return success(undefined);
  const parsed = parse(given);
  return parsed.ok ? parsed : failure(`${key}: ${parsed.problem}`);
}

function count(metadata: Metadata, key: string): Outcome<number> {
  // Original clients count a truth value as 1 or 0.
  const value = metadata[key] ?? 0;
  const number = typeof value === 'boolean' ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return success(number);
  return failure(`${key}: expected a whole number, 0 or more, not ${String(value)}`);
}

/** Larger first, 0 where none is given. */
export function priorityOf(metadata: Metadata): number {
  const value = metadata['request_priority'];
  const number = typeof value === 'boolean' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : 0;
}
