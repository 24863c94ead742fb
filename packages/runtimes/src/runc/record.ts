/**
 * What a run of runc leaves on disk, so that any later process can find it: a directory `<uuid>.<epoch>` with
 *
 * - `record.json`: when and in what it was started; `config.json`: the bundle
 * - `alive`: a named pipe whose writing end the supervisor holds; it ends when the supervisor does, however that comes about
 * - `supervisor`: the supervisor's process number; `stopped`: somebody asked for the end of the run
 * - `exit`: blanks, then the exit status once there is one; `log`: what was said outside of the command's own output
 * - `image`: a link to the image's files; `upper`, `work`: what the run changes in them; `root`: where both come together
 * - `runc`: what runc itself remembers; `address`: where the worker reaches the run, once it was connected
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { recordName, readOrUndefined } from '../sandbox/record.ts';

export interface RuncPaths {
  readonly directory: string;
  readonly record: string;
  readonly bundle: string;
  readonly alive: string;
  readonly supervisor: string;
  readonly stopped: string;
  readonly exit: string;
  readonly log: string;
  readonly state: string;
  readonly address: string;
}

const RuncRecord = z.object({
  uuid: z.string(),
  epoch: z.number(),
  /** `sha256:…` */
  image: z.string(),
  /** `own` also for a run with no network at all. */
  network: z.enum(['own', 'host']),
  /** Milliseconds since the epoch. */
  startedAt: z.number(),
});
export type RuncRecord = z.infer<typeof RuncRecord>;

export function runcPaths(stateDirectory: string, uuid: string, epoch: number): RuncPaths {
  const directory = join(stateDirectory, recordName(uuid, epoch));
  const path = (name: string): string => join(directory, name);
  return {
    directory,
    record: path('record.json'),
    bundle: path('config.json'),
    alive: path('alive'),
    supervisor: path('supervisor'),
    stopped: path('stopped'),
    exit: path('exit'),
    log: path('log'),
    state: path('runc'),
    address: path('address'),
  };
}

/** @param image directory of the image's files */
export function writeRuncRecord(paths: RuncPaths, record: RuncRecord, bundle: unknown, image: string): void {
  mkdirSync(paths.directory, { recursive: true, mode: 0o700 });
  for (const name of ['upper', 'work', 'root']) mkdirSync(join(paths.directory, name));
  symlinkSync(image, join(paths.directory, 'image'));
  writeFileSync(paths.record, JSON.stringify(record));
  writeFileSync(paths.bundle, JSON.stringify(bundle));
}

/** Undefined: there is no such run, or its start was cut short. @throws ZodError where the file was damaged */
export function readRuncRecord(paths: RuncPaths): RuncRecord | undefined {
  const text = readOrUndefined(paths.record);
  try {
    return text === undefined ? undefined : RuncRecord.parse(JSON.parse(text));
  } catch (error) {
    // A worker that died over it.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
