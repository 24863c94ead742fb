/** From a command line and an environment to settings. */
import { parseSize } from '@sheaf/domain';
import { resolve } from 'node:path';
import type { CommandLine } from './command-line.ts';
import { flags, type Flag, type FlagName } from './flags.ts';
import { StartProblem, unlimitedRuns, type RuntimeChoice, type Settings } from './settings.ts';

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly pid: number;
  readonly currentDirectory: string;
}

const gibibyte = 1024 ** 3;

/** @throws StartProblem */
export function readSettings(line: CommandLine, around: Surroundings): Settings {
  const text = (name: FlagName) => line.value(name) ?? defaultOf(name);
  const size = (name: FlagName) => optional(text(name), (given) => sizeOf(name, given));
  const whole = (name: FlagName) => optional(text(name), (given) => wholeOf(name, given));
  return {
    server: serverOf(text('server') ?? ''),
    workDirectory: resolve(around.currentDirectory, text('work-dir') ?? ''),
    id: idOf(text('id') ?? `${around.hostname}(${around.pid})`),
    tag: optional(text('tag'), tagOf),
    tagExclusive: line.has('tag-exclusive') && line.has('tag'),
    group: text('group') ?? null,
    slots: optional(text('slots'), (given) => positive('slots', given)),
    cpus: cpusOf(text('cpuset') ?? 'ALL'),
    gpus: gpusOf(text('gpuset') ?? 'ALL'),
    maximumMemory: size('max-memory'),
    cacheLimit: size('max-work-dir-size') ?? 10 * gibibyte,
    maximumImageSize: size('max-image-size'),
    imageCacheLimit: size('max-image-cache-size'),
    runtime: runtimeOf(line.value('runtime') ?? (around.environment['SHEAF_RUNTIME'] || 'auto')),
    networkPrefix: text('network-prefix') ?? null,
    sharedMemory: (whole('shared-memory-size-gb') ?? 1) * gibibyte,
    exitWhenIdle: line.has('exit-when-idle'),
    idleSeconds: whole('idle-seconds') ?? 0,
    exitAfterRuns: whole('exit-after-num-runs') ?? unlimitedRuns,
    passDownTermination: line.has('pass-down-termination'),
    preemptible: line.has('preemptible'),
    downloadAttempts: Math.max(1, whole('download-dependencies-max-retries') ?? 3),
    verifyDependencies: line.has('verify-dependencies'),
    sharedFileSystem: line.has('shared-file-system'),
    deleteWorkDirectoryOnExit: line.has('delete-work-dir-on-exit'),
    localStore: optional(text('local-store'), (given) => resolve(around.currentDirectory, given)),
    verbose: line.has('verbose'),
  };
}

function defaultOf(name: FlagName): string | undefined {
  const flag: Flag | undefined = flags.find((one) => one.name === name);
  return flag?.default;
}

function optional<Value>(text: string | undefined, read: (text: string) => Value): Value | null {
  return text === undefined ? null : read(text);
}

function serverOf(text: string): string {
  const address = text.replace(/\/+$/, '').replace(/\/rest$/, '');
  if (!/^https?:\/\/[^/\s]+/.test(address)) {
    throw new StartProblem(`"${text}" is not the address of a server; it looks like http://localhost:2900.`);
  }
  return address;
}

function idOf(text: string): string {
  if (text.length <= 127 && !/[/\s]/.test(text)) return text;
  throw new StartProblem(`"${text}" cannot be an --id: at most 127 characters, without slashes and blanks.`);
}

function tagOf(text: string): string {
  if (/^[A-Za-z0-9-]+$/.test(text)) return text;
  throw new StartProblem(`"${text}" cannot be a --tag: use letters, digits and hyphens.`);
}

function sizeOf(name: FlagName, text: string): number {
  const size = parseSize(text);
  if (size.ok) return size.value;
  throw new StartProblem(`--${name} ${text}: write a size such as 500m or 2g.`);
}

function wholeOf(name: FlagName, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new StartProblem(`--${name} ${text}: write a whole number.`);
}

function positive(name: FlagName, text: string): number {
  const number = wholeOf(name, text);
  if (number > 0) return number;
  throw new StartProblem(`--${name} ${text}: write a number above 0.`);
}

function cpusOf(text: string): 'all' | readonly number[] {
  if (text === 'ALL') return 'all';
  const numbers = text.split(',').map((part) => wholeOf('cpuset', part.trim()));
  if (new Set(numbers).size === numbers.length) return numbers;
  throw new StartProblem(`--cpuset ${text} names a processor twice.`);
}

function gpusOf(text: string): 'all' | readonly string[] {
  if (text === 'ALL') return 'all';
  if (text === 'NONE' || text === '') return [];
  return text.split(',').map((part) => part.trim());
}

function runtimeOf(text: string): RuntimeChoice {
  if (text === 'auto' || text === 'docker' || text === 'sandbox') return text;
  throw new StartProblem(`There is no runtime "${text}": --runtime takes auto, docker or sandbox.`);
}
