/** What is known at the end of an experiment, as plain data: the invariants read nothing else. */
import type { FailureCause } from '@sheaf/domain';
import type { PlannedRun } from '../workload.ts';

export interface Evidence {
  readonly runs: readonly RunEvidence[];
  /** Every committed change of every run, in order. */
  readonly changes: readonly Change[];
  readonly owners: readonly OwnerEvidence[];
  readonly server: ServerEvidence;
  readonly store: StoreEvidence;
  readonly workers: readonly WorkerEvidence[];
  readonly machine: MachineEvidence;
  /** What the faults that struck can do to a run. */
  readonly possible: ReadonlySet<FailureCause>;
}

export interface RunEvidence {
  readonly planned: PlannedRun;
  readonly ownerId: string;
  readonly state: string;
  readonly failureMessage: string;
  /** Of the file `out`; undefined where there is none. */
  readonly output: string | undefined;
  /** SHA-256 of the file `bulk`, in hex. */
  readonly bulk: string | undefined;
  /** Bytes that the run counts for. */
  readonly dataSize: number;
  /** Bytes of what is stored of it. */
  readonly storedSize: number;
  /** Attempts that were begun. */
  readonly epoch: number;
  readonly events: readonly BundleEvent[];
}

/** A line of a run's history. */
export interface BundleEvent {
  readonly kind: string;
  readonly epoch: number | undefined;
  /** Where an attempt failed because of the platform: how. */
  readonly cause: string | undefined;
  readonly state: string | undefined;
  readonly text: string;
}

export interface Change {
  readonly uuid: string;
  readonly epoch: number;
  readonly state: string;
  /** Container time of the attempt, as it is known. */
  readonly seconds: number;
  /** What is stored; null for nothing. */
  readonly root: string | null;
}

export interface OwnerEvidence {
  readonly id: string;
  readonly name: string;
  /** Seconds. */
  readonly timeUsed: number;
  /** Bytes. */
  readonly diskUsed: number;
  /** Bytes that all bundles count for. */
  readonly bundleBytes: number;
}

/** Rows that should be gone, in words. */
export interface ServerEvidence {
  readonly assignments: readonly string[];
  readonly messages: readonly string[];
  /** Of uploads that are over. */
  readonly leases: readonly string[];
  readonly sharedRuns: readonly string[];
  /** Files outside the store that only work under way needs. */
  readonly files: readonly string[];
}

export interface StoreEvidence {
  /** Contents of bundles that are not all there, with what is missing. */
  readonly missing: readonly string[];
  /** Digests whose blob is not what it should be, with why. */
  readonly damaged: readonly string[];
  /** Unfinished files that the process that wrote them could still finish: not of one that was killed. */
  readonly unfinished: readonly string[];
}

export interface WorkerEvidence {
  readonly name: string;
  /** How it ended when it was told to, at the very end; undefined when it had to be killed. */
  readonly exitCode: number | undefined;
  /** What is in its work directory besides the cache, relative to it. */
  readonly files: readonly string[];
  readonly cache: CacheEvidence;
}

export interface CacheEvidence {
  /** Names in the directory of entries. */
  readonly entries: readonly string[];
  /** Names in the index. */
  readonly listed: readonly string[];
  /** Blobs that no listed entry leads to. */
  readonly unreferenced: readonly string[];
  /** Unfinished downloads. */
  readonly unfinished: readonly string[];
}

/** What is left on the machine when all programs have ended, in words. */
export interface MachineEvidence {
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly groups: readonly string[];
  /** Containers, networks, interfaces and firewall rules on the hosts of the workers. */
  readonly engines: readonly string[];
}
