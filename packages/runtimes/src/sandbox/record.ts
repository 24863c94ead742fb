/**
 * What a sandboxed run leaves on disk, so that any later process can find it: a directory `<uuid>.<epoch>` with
 *
 * - `record.json`: when and as what it was started
 * - `alive`: a named pipe whose writing end the supervisor holds; it ends when the supervisor does, however that comes about
 * - `leader`: what /proc says of the process whose group is that of all who make the run
 * - `supervisor`: the supervisor's process number; `info`: the number of the process that is 1 inside
 * - `stopped`: somebody asked for the end of the run
 * - `times`: processor time of the command, where no control group counts it
 * - `exit`: blanks, then the exit status once there is one; `log`: what was said outside of the command's own output
 * - `tmp`: the run's /tmp; `root`: where its root directory is put together
 * - `overlay`: what the run changes in its image, where the runtime has images
 *
 * These files are small and few: one after the other they are dealt with sooner than another thread would wake up for each.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrno } from '../files/errno.ts';

export interface RunPaths {
  readonly directory: string;
  readonly record: string;
  readonly alive: string;
  readonly supervisor: string;
  readonly leader: string;
  readonly info: string;
  readonly stopped: string;
  readonly times: string;
  readonly exit: string;
  readonly log: string;
  readonly temporary: string;
  readonly root: string;
  readonly overlay: string;
}

const RunRecord = z.object({
  uuid: z.string(),
  epoch: z.number(),
  network: z.boolean(),
  /** `sha256:…`, where the runtime has images. */
  image: z.string().optional(),
  /** Milliseconds since the epoch. */
  startedAt: z.number(),
  /** How the command was started, for those that are started beside it. Not there: by a version that did not keep it. */
  command: z
    .object({
      environment: z.record(z.string(), z.string()),
      user: z.object({ uid: z.number(), gid: z.number() }).nullable(),
      /** Numbers of the processors it is pinned to, where no control group does that. */
      cpuset: z.array(z.number()),
      /** Bytes of data of each process; 0: unlimited. */
      dataLimit: z.number(),
    })
    .optional(),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** Name of a run among those of a worker: of its directory and of its control group. */
export function recordName(uuid: string, epoch: number): string {
  return `${uuid}.${epoch}`;
}

export function runPaths(stateDirectory: string, uuid: string, epoch: number): RunPaths {
  const directory = join(stateDirectory, recordName(uuid, epoch));
  const path = (name: string): string => join(directory, name);
  return {
    directory,
    record: path('record.json'),
    alive: path('alive'),
    supervisor: path('supervisor'),
    leader: path('leader'),
    info: path('info'),
    stopped: path('stopped'),
    times: path('times'),
    exit: path('exit'),
    log: path('log'),
    temporary: path('tmp'),
    root: path('root'),
    overlay: path('overlay'),
  };
}

export function writeRecord(paths: RunPaths, record: RunRecord): void {
  mkdirSync(paths.temporary, { recursive: true });
  mkdirSync(paths.root);
  writeFileSync(paths.record, JSON.stringify(record));
}

/** Undefined: there is no such run. @throws SyntaxError or ZodError where the file was damaged */
export function readRecord(paths: RunPaths): RunRecord | undefined {
  const text = readOrUndefined(paths.record);
  return text === undefined ? undefined : RunRecord.parse(JSON.parse(text));
}

/** Uuid and epoch of every run that left a directory, also of those whose start was cut short. */
export async function listRecords(stateDirectory: string): Promise<{ uuid: string; epoch: number }[]> {
  try {
    const names = await readdir(stateDirectory);
    return names.flatMap((name) => {
      const match = /^(?<uuid>.+)\.(?<epoch>\d+)$/.exec(name)?.groups;
      return match?.['uuid'] === undefined ? [] : [{ uuid: match['uuid'], epoch: Number(match['epoch']) }];
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return [];
    }
    throw error;
  }
}

/** The status the supervisor wrote, and when; undefined: it wrote none (or was cut off while writing). */
export function readExit(paths: Pick<RunPaths, 'exit'>): { code: number; at: number } | undefined {
  return withFile(paths.exit, (file) => {
    const text = readFileSync(file, 'utf8');
    const { mtimeMs } = fstatSync(file);
    return /^ *\d+\n$/.test(text) ? { code: Number.parseInt(text, 10), at: Math.round(mtimeMs) } : undefined;
  });
}

/** Seconds of processor time of the command, as the shell's `times` says it on its second line: `0m1.25s 0m0.50s`. */
export function readTimes(paths: RunPaths): { cpuUser: number; cpuSystem: number } | undefined {
  const [, line = ''] = (readLog({ log: paths.times }) ?? '').split('\n');
  const [user, system] = [...line.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
  );
  return user === undefined || system === undefined ? undefined : { cpuUser: user, cpuSystem: system };
}

/** Commands can reach the descriptors of what waits for them (`/proc/1/fd`): a log can be as long as they like. Bytes. */
const longestLog = 64 * 1024;

/** The end of what was said; undefined: nothing ever could be. */
export function readLog({ log }: Pick<RunPaths, 'log'>): string | undefined {
  return withFile(log, (file) => {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(Math.min(size, longestLog));
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, size - buffer.length));
  });
}

export function readOrUndefined(path: string): string | undefined {
  return withFile(path, (file) => readFileSync(file, 'utf8'));
}

/** Undefined: it is not there. */
function withFile<Result>(path: string, read: (file: number) => Result): Result | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return undefined;
    }
    throw error;
  }
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}
