import type { Readable, Writable } from 'node:stream';

/**
 * The runtime port: everything the worker asks of whatever executes a run. Implementations differ in what they can do, and
 * say so in `capabilities`; callers branch on those, never on a name.
 *
 * Kill (the run dies: `stop`) and shutdown (the worker dies, the run lives: just drop the object) are different things.
 */
export interface Runtime {
  readonly name: string;
  readonly capabilities: RuntimeCapabilities;
  /** One sentence for people: version, and what this runtime cannot do. */
  readonly description: string;
  /** What there is for runs, where that is not what this machine has. */
  readonly offers?: MachineOffer | undefined;

  /**
   * Makes the image ready and answers the exact image that `start` will use.
   * @throws ImageError with a sentence for the user.
   */
  prepareImage(reference: string, options: PrepareImageOptions): Promise<PreparedImage>;

  /** Removes an image that `prepareImage` answered, unless something still uses it. */
  removeImage(id: string): Promise<ImageRemoval>;

  /** Starts the command and returns as soon as it runs. The handle is JSON: it is kept on disk for `recover`. */
  start(specification: RunSpecification, signal: AbortSignal): Promise<RunHandle>;

  /** Finds a run that an earlier process started. Undefined: there is no trace of it. */
  recover(handle: RunHandle): Promise<RecoveredRun | undefined>;

  /** Handles of all runs of this runtime and worker that are still there, for removing orphans. */
  list(): Promise<RunHandle[]>;

  /**
   * Resolves when the command has ended, whoever started it; rejects only with the signal's reason or a RuntimeError.
   * @param onTrouble hears why nothing is known of the command right now, and undefined when that is over
   */
  wait(
    handle: RunHandle,
    signal: AbortSignal,
    onTrouble?: (words: string | undefined) => void,
  ): Promise<RunExit>;

  /** Kills every process of the run and returns when they are gone; nothing happens if it had ended already. */
  stop(handle: RunHandle): Promise<void>;

  /** Removes everything the runtime keeps about a run; the run directory stays. May be called twice. */
  destroy(handle: RunHandle): Promise<void>;

  /** A sample of what the run uses; undefined when it has ended. */
  statistics(handle: RunHandle): Promise<RunStatistics | undefined>;

  /**
   * What a run that has ended used from its start to its end, until it is destroyed; `memory` is what was left at the end.
   * Undefined: nobody has counted.
   */
  finalStatistics(handle: RunHandle): Promise<RunStatistics | undefined>;

  /**
   * Where a program of the run that listens on this TCP port can be reached from the worker; undefined where there is none, or
   * where it cannot be told that it is the run's. Asked again after connecting: another answer means that whoever was reached
   * may be somebody else.
   */
  reach(handle: RunHandle, port: number): Promise<ReachablePort | undefined>;

  /**
   * Starts a command inside a run that is under way: with its files, user, environment and limits, in its directory.
   * @throws RuntimeError the run has ended, or this runtime cannot do it (`capabilities.exec`)
   */
  exec(handle: RunHandle, request: ExecRequest): Promise<ExecSession>;

  close(): Promise<void>;
}

export interface MachineOffer {
  readonly cpus: number;
  readonly gpus: number;
  /** Bytes. */
  readonly memory: number;
}

export interface RuntimeCapabilities {
  readonly images: boolean;
  readonly cpuLimit: boolean;
  readonly memoryLimit: boolean;
  /** A run that did not ask for the network has none. */
  readonly networkIsolation: boolean;
  readonly gpus: boolean;
  /** Commands can be started in a run that is under way. */
  readonly exec: boolean;
}

export interface ReachablePort {
  readonly host: string;
  readonly port: number;
}

export interface ExecRequest {
  /** Words, not a line for a shell; the first one is looked up on the run's PATH. */
  readonly command: readonly string[];
  /** Null: no terminal, but separate streams. */
  readonly terminal: TerminalSize | null;
  /** In addition to the run's own. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface ExecSession {
  /** Ending it closes the command's input, or types the end-of-file character where there is a terminal. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Ends at once where there is a terminal: everything is on stdout. */
  readonly stderr: Readable;
  /** Nothing happens without a terminal, or after the end. */
  resize(size: TerminalSize): Promise<void>;
  /** How the command ended; above 128: by signal `code - 128`. Resolves after the last byte of output can be read. */
  readonly exit: Promise<number>;
  /**
   * Kills what the session has started and is still there; the run goes on. Resolves when it is gone. After the session's end
   * nothing happens: what its command has left in the background belongs to the run, and dies with it.
   */
  close(): Promise<void>;
}

/** `gone`: somebody else has removed it. */
export type ImageRemoval = 'removed' | 'in use' | 'gone';

export interface PrepareImageOptions {
  readonly signal: AbortSignal;
  /** Called with words such as `Downloading 12m/80m (15% done)`. */
  onProgress(status: string): void;
  /** Bytes to download at most; what is here already is not measured. Undefined or 0: any size. */
  readonly maximumSize?: number | undefined;
}

export interface PreparedImage {
  /** What to start: an image id or digest reference that cannot change meanwhile. */
  readonly id: string;
  /** `repository@sha256:…`, as recorded on the run; null where the image was never in a registry. */
  readonly digest: string | null;
  /** Bytes. */
  readonly size: number;
  /** Something was downloaded for it by this runtime; false or undefined where it was here before. */
  readonly downloaded?: boolean | undefined;
}

export interface RunSpecification {
  readonly uuid: string;
  /** Attempt number; part of the name of what is started, so that two attempts never meet. */
  readonly epoch: number;
  /** The user's command, to be executed by bash (sh where the image has none) as execution.md §20.1 says. */
  readonly command: string;
  /** Null: the runtime has no images. */
  readonly image: PreparedImage | null;
  /** Host path of the run directory: mounted read-write at `/<uuid>`, where the command starts; stdout and stderr go there. */
  readonly directory: string;
  readonly mounts: readonly RunMount[];
  readonly environment: Readonly<Record<string, string>>;
  /** CPU numbers to pin; empty: any. */
  readonly cpuset: readonly number[];
  /** GPU identifiers; empty: none. */
  readonly gpus: readonly string[];
  /** Bytes; 0: no limit. */
  readonly memory: number;
  /** Access to the outside world; never to the host, cloud metadata addresses or other runs. */
  readonly network: boolean;
  /** Bytes of /dev/shm. */
  readonly sharedMemory: number;
}

/** A dependency: always read-only. `target` is an absolute path as the command sees it. */
export interface RunMount {
  readonly source: string;
  readonly target: string;
}

export interface RunHandle {
  readonly runtime: string;
  readonly uuid: string;
  readonly epoch: number;
  /** Whatever the runtime needs to find the run again. */
  readonly data: Readonly<Record<string, unknown>>;
}

export type RecoveredRun =
  /** Milliseconds since the epoch; null where it cannot be known. */
  | { readonly state: 'running'; readonly startedAt: number | null }
  | { readonly state: 'ended'; readonly exit: RunExit };

export interface RunExit {
  /** Null when it cannot be known (the run vanished). Above 128: killed by signal `exitCode - 128`. */
  readonly exitCode: number | null;
  /** The memory limit was hit. */
  readonly outOfMemory: boolean;
  /** What the shell or the runtime said before the command could write to its own files; null if nothing. */
  readonly message: string | null;
  /** Milliseconds since the epoch. */
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** The command was ended from outside, by the engine or through it, or vanished with it: the run may do better elsewhere. */
  readonly interrupted?: boolean | undefined;
}

export interface RunStatistics {
  /** Seconds of CPU, so far. */
  readonly cpuUser: number;
  readonly cpuSystem: number;
  /** Bytes in use, and the highest seen. */
  readonly memory: number;
  readonly memoryMax: number;
}

/** The image cannot be had: unknown, too large, registry away, not allowed. The message is for the user. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  /** Whether trying again later may help. */
  readonly transient: boolean;
  constructor(message: string, options: { transient: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.transient = options.transient;
  }
}

/** The command could not be started, or the engine failed. `userError`: the request is to blame, not the platform. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly userError: boolean;
  /** The image that was prepared is not there any more: it helps to prepare it again. */
  readonly imageGone: boolean;
  constructor(message: string, options: { userError: boolean; imageGone?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.userError = options.userError;
    this.imageGone = options.imageGone ?? false;
  }
}
