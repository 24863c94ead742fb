/** Everything about a worker that its owner decides (execution.md §16.1). */

import type { ClusterAccess, RuntimeChoice } from '@sheaf/runtimes';

export type { RuntimeChoice };

export interface Settings {
  /** Base address, without `/rest`. */
  readonly server: string;
  /** Absolute path. */
  readonly workDirectory: string;
  readonly id: string;
  readonly tag: string | null;
  readonly tagExclusive: boolean;
  readonly group: string | null;
  /** Runs held at once at most; null for as many as resources allow. */
  readonly slots: number | null;
  readonly cpus: 'all' | readonly number[];
  /** Indices or uuids. */
  readonly gpus: 'all' | readonly string[];
  /** Bytes; null for all there is. */
  readonly maximumMemory: number | null;
  /** Bytes of cached dependencies. */
  readonly cacheLimit: number;
  /** Bytes of an image to download at most; null for any. */
  readonly maximumImageSize: number | null;
  /** Bytes of all images this worker has used; null for any. */
  readonly imageCacheLimit: number | null;
  readonly runtime: RuntimeChoice;
  /** Where runs become pods. */
  readonly cluster?: ClusterAccess | undefined;
  readonly networkPrefix: string | null;
  /** Bytes of /dev/shm. */
  readonly sharedMemory: number;
  readonly exitWhenIdle: boolean;
  readonly idleSeconds: number;
  /** Runs to start at most. */
  readonly exitAfterRuns: number;
  readonly passDownTermination: boolean;
  readonly preemptible: boolean;
  /** Attempts for each dependency. */
  readonly downloadAttempts: number;
  readonly verifyDependencies: boolean;
  /** The server's contents are at the same paths here (execution.md §24). */
  readonly sharedFileSystem: boolean;
  readonly deleteWorkDirectoryOnExit: boolean;
  /** Directory of the server's contents on this very machine, to link from instead of downloading; null for none. */
  readonly localStore: string | null;
  readonly verbose: boolean;
}

/** Runs a worker may start that was given no number. */
export const unlimitedRuns = 999_999_999;

/** The settings or the surroundings cannot work: one sentence that says what to do. */
export class StartProblem extends Error {
  override readonly name = 'StartProblem';

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
  }
}
