/** What the steps of a run work with; the same for all runs of a worker. */
import type { HashedTree, SendPeer } from '@sheaf/trees';
import type { DependencyCache } from '../cache/dependency-cache.ts';
import type { Clock } from '../clock.ts';
import type { ImageCache } from '../images/image-cache.ts';
import type { Precedence } from '../prefetch/precedence.ts';
import type { Log } from '../log.ts';
import type { ResourcePool } from '../resources/pool.ts';
import type { Settings } from '../settings/settings.ts';
import type { HeldRun } from './held-run.ts';
import type { RunRecord } from './record.ts';
import type { Ownership } from './run-directory.ts';
import type { Runtimes } from './runtimes.ts';
import type { UnsentResults } from './unsent-results.ts';

export interface RunTools {
  readonly settings: Pick<
    Settings,
    'id' | 'sharedMemory' | 'maximumImageSize' | 'downloadAttempts' | 'preemptible'
  >;
  readonly runtimes: Runtimes;
  readonly images: ImageCache;
  readonly cache: DependencyCache;
  /** Downloads that runs wait for before those that are made ahead. */
  readonly precedence: Precedence;
  readonly resources: ResourcePool;
  /** Takes the results of one attempt of a run. */
  readonly results: (uuid: string, epoch: number) => SendPeer<unknown>;
  /** Where results go that the server refused for good. */
  readonly unsent: UnsentResults;
  /** Whether nothing more can be written to the directory of a run. */
  readonly diskIsFull: () => Promise<boolean>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** The worker ends, and the run lives on. */
  readonly shutdown: AbortSignal;
}

/** What one step needs to know of the others, while the worker runs; a restarted worker works it out again. */
export interface Attempt {
  readonly run: HeldRun;
  readonly tools: RunTools;
  /** Fires when the run is to die or the worker ends; another one for each step. */
  signal: AbortSignal;
  /** Results as they were hashed. */
  hashed: HashedTree | undefined;
  /** What of the results cannot be stored anywhere, in words for their owner. */
  unstorable: string | undefined;
  /** The container or sandbox is being removed. */
  destroying: Promise<void> | undefined;
}

export function ownershipOf(
  { epoch }: Pick<RunRecord, 'epoch'>,
  { settings }: Pick<RunTools, 'settings'>,
): Ownership {
  return settings.preemptible ? { worker: settings.id, epoch } : undefined;
}
