/** From a command line and an environment to settings. */
import { resolve } from 'node:path';
import type { CommandLine } from './command-line.ts';
import { cpusOf, gpusOf } from './devices.ts';
import { flags, type Flag, type FlagName } from './flags.ts';
import { clusterOf, runtimeOf } from './runtime-choice.ts';
import { unlimitedRuns, type Settings } from './settings.ts';
import {
  gigabytesOf,
  idOf,
  networkPrefixOf,
  positiveOf,
  serverOf,
  sizeOf,
  tagOf,
  textOf,
  wholeOf,
} from './values.ts';

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly pid: number;
  readonly currentDirectory: string;
}

/** @throws StartProblem */
export function readSettings(line: CommandLine, around: Surroundings): Settings {
  const text = (name: FlagName) => line.value(name) ?? defaultOf(name);
  const read = <Value>(name: FlagName, reader: (name: FlagName, text: string) => Value): Value | null => {
    const given = text(name);
    return given === undefined ? null : reader(name, given);
  };
  const path = (name: FlagName) =>
    read(name, (flag, given) => resolve(around.currentDirectory, textOf(flag, given)));
  const size = (name: FlagName) => read(name, (flag, given) => sizeOf(flag, given, { orNothing: false }));
  const limit = (name: FlagName) => read(name, (flag, given) => sizeOf(flag, given, { orNothing: true }));
  // Checked all the same, so that a slip does not go unnoticed until it matters.
  read('checkin-frequency-seconds', wholeOf);
  const runtime = runtimeOf(line, around.environment['SHEAF_RUNTIME']);
  return {
    server: serverOf(text('server') ?? ''),
    workDirectory: path('work-dir') ?? around.currentDirectory,
    id: idOf(text('id') ?? `${around.hostname}(${around.pid})`),
    tag: read('tag', (_, given) => tagOf(given)),
    tagExclusive: line.has('tag-exclusive') && line.has('tag'),
    group: read('group', textOf),
    slots: read('slots', positiveOf),
    cpus: cpusOf(text('cpuset') ?? 'ALL'),
    gpus: gpusOf(text('gpuset') ?? 'ALL'),
    maximumMemory: size('max-memory'),
    cacheLimit: limit('max-work-dir-size') ?? 0,
    maximumImageSize: size('max-image-size'),
    imageCacheLimit: limit('max-image-cache-size'),
    runtime,
    cluster: clusterOf(line, runtime),
    networkPrefix: read('network-prefix', (_, given) => networkPrefixOf(given)),
    sharedMemory: read('shared-memory-size-gb', gigabytesOf) ?? 0,
    exitWhenIdle: line.has('exit-when-idle'),
    idleSeconds: read('idle-seconds', wholeOf) ?? 0,
    exitAfterRuns: read('exit-after-num-runs', wholeOf) ?? unlimitedRuns,
    passDownTermination: line.has('pass-down-termination'),
    preemptible: line.has('preemptible'),
    downloadAttempts: Math.max(1, read('download-dependencies-max-retries', wholeOf) ?? 1),
    verifyDependencies: line.has('verify-dependencies'),
    sharedFileSystem: line.has('shared-file-system'),
    deleteWorkDirectoryOnExit: line.has('delete-work-dir-on-exit'),
    localStore: path('local-store'),
    verbose: line.has('verbose'),
  };
}

function defaultOf(name: FlagName): string | undefined {
  const flag: Flag | undefined = flags.find((one) => one.name === name);
  return flag?.default;
}
