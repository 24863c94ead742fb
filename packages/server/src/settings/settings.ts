import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseDuration, parseSize, type Outcome } from '@sheaf/domain';
import { z } from 'zod';

/** Everything an operator can set, in one place (docs/settings.md). Sizes in bytes, times in seconds unless named otherwise. */
export interface Settings {
  /** All data: database, contents, the administrator's password. */
  home: string;
  /** What workers with `--shared-file-system` find under the same path: contents laid out for them, and their runs. */
  sharedDirectory: string;
  host: string;
  port: number;
  database: { engine: 'sqlite'; file: string } | { engine: 'postgresql'; url: string };
  /** What original clients compare themselves with: dotted integers only (rest-api.md §2.2). */
  protocolVersion: string;
  administrator: { name: string; password: string | undefined };
  images: { cpu: string; gpu: string };
  limits: {
    requestTimeMax: number | undefined;
    requestMemoryMax: number | undefined;
    requestMemoryMin: number;
    requestDiskMax: number | undefined;
  };
  newUser: { timeQuota: number; diskQuota: number; parallelRuns: number };
  /** Milliseconds without contact after which a worker counts as gone. */
  workerTimeout: number;
  protectedMode: boolean;
  /** Directories below which bundles may link to what is on this machine's disk. */
  linkRoots: readonly string[];
  /** Whether uploads by URL may fetch from private addresses, such as those of this machine and its network. */
  fetchPrivateAddresses: boolean;
  logLevel: string;
}

const blankIsUnset = (value: unknown) => (value === '' ? undefined : value);
const text = z.preprocess(blankIsUnset, z.string().optional());
const size = quantity(parseSize);
const duration = quantity(parseDuration);

function quantity(read: (value: string) => Outcome<number>) {
  return text.transform((value, context) => {
    if (value === undefined) return undefined;
    const outcome = read(value);
    if (outcome.ok) return outcome.value;
    context.addIssue({ code: 'custom', message: outcome.problem });
    return z.NEVER;
  });
}

const environment = z.object({
  SHEAF_HOME: text,
  SHEAF_SHARED_DIRECTORY: text,
  SHEAF_HOST: text,
  SHEAF_PORT: z.preprocess(blankIsUnset, z.coerce.number().int().min(0).max(65_535).optional()),
  SHEAF_DATABASE_URL: text,
  SHEAF_LOG_LEVEL: z.preprocess(
    blankIsUnset,
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional(),
  ),
  SHEAF_DEFAULT_CPU_IMAGE: text,
  SHEAF_DEFAULT_GPU_IMAGE: text,
  SHEAF_MAX_REQUEST_TIME: duration,
  SHEAF_MAX_REQUEST_MEMORY: size,
  SHEAF_MIN_REQUEST_MEMORY: size,
  SHEAF_MAX_REQUEST_DISK: size,
  SHEAF_TIME_QUOTA: duration,
  SHEAF_DISK_QUOTA: size,
  SHEAF_PARALLEL_RUN_QUOTA: z.preprocess(blankIsUnset, z.coerce.number().int().min(0).optional()),
  SHEAF_WORKER_TIMEOUT_SECONDS: z.preprocess(blankIsUnset, z.coerce.number().positive().optional()),
  CODALAB_USERNAME: text,
  CODALAB_PASSWORD: text,
  CODALAB_PROTECTED_MODE: text,
  CODALAB_LINK_MOUNTS: text,
  SHEAF_FETCH_PRIVATE_ADDRESSES: text,
});

/** A setting that cannot be used; the message names it and says what is expected. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

const defaultImage = 'python:3.12-bookworm';
const yearInSeconds = 365 * 24 * 60 * 60;

/**
 * Reads the settings from environment variables.
 * @throws SettingsError naming the first variable that cannot be used.
 */
export function readSettings(variables: Record<string, string | undefined>): Settings {
  const parsed = environment.safeParse(variables);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new SettingsError(`${issue?.path.join('.') ?? 'A setting'}: ${issue?.message ?? 'is not valid'}`);
  }
  const given = parsed.data;
  const home = resolve(given.SHEAF_HOME ?? join(homedir(), '.sheaf'));
  return {
    home,
    sharedDirectory: resolve(given.SHEAF_SHARED_DIRECTORY ?? join(home, 'shared')),
    host: given.SHEAF_HOST ?? '127.0.0.1',
    port: given.SHEAF_PORT ?? 2900,
    database: databaseFrom(given.SHEAF_DATABASE_URL, home),
    protocolVersion: '1.7.3',
    administrator: { name: given.CODALAB_USERNAME ?? 'codalab', password: given.CODALAB_PASSWORD },
    images: imagesFrom(given),
    limits: limitsFrom(given),
    newUser: newUserFrom(given),
    workerTimeout: (given.SHEAF_WORKER_TIMEOUT_SECONDS ?? 60) * 1000,
    protectedMode: given.CODALAB_PROTECTED_MODE === 'True',
    linkRoots: (given.CODALAB_LINK_MOUNTS ?? '/tmp/codalab/link-mounts')
      .split(',')
      .filter((root) => root !== '')
      .map((root) => resolve(root)),
    fetchPrivateAddresses: given.SHEAF_FETCH_PRIVATE_ADDRESSES === '1',
    logLevel: given.SHEAF_LOG_LEVEL ?? 'info',
  };
}

type Given = z.output<typeof environment>;

function imagesFrom(given: Given): Settings['images'] {
  const cpu = given.SHEAF_DEFAULT_CPU_IMAGE ?? defaultImage;
  return { cpu, gpu: given.SHEAF_DEFAULT_GPU_IMAGE ?? cpu };
}

function limitsFrom(given: Given): Settings['limits'] {
  return {
    requestTimeMax: given.SHEAF_MAX_REQUEST_TIME,
    requestMemoryMax: given.SHEAF_MAX_REQUEST_MEMORY,
    requestMemoryMin: given.SHEAF_MIN_REQUEST_MEMORY ?? 4 * 1024 * 1024,
    requestDiskMax: given.SHEAF_MAX_REQUEST_DISK,
  };
}

function newUserFrom(given: Given): Settings['newUser'] {
  return {
    timeQuota: given.SHEAF_TIME_QUOTA ?? 100 * yearInSeconds,
    diskQuota: given.SHEAF_DISK_QUOTA ?? 100 * 1024 ** 3,
    parallelRuns: given.SHEAF_PARALLEL_RUN_QUOTA ?? 100,
  };
}

function databaseFrom(url: string | undefined, home: string): Settings['database'] {
  if (url === undefined) return { engine: 'sqlite', file: join(home, 'database', 'sheaf.sqlite') };
  if (/^postgres(ql)?:\/\//.test(url)) return { engine: 'postgresql', url };
  if (url.startsWith('sqlite:')) return { engine: 'sqlite', file: resolve(url.slice('sqlite:'.length)) };
  throw new SettingsError(`SHEAF_DATABASE_URL: expected postgresql://… or sqlite:<file>, not ${url}`);
}
