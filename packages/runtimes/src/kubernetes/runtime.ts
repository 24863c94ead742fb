/** Runs as pods of a Kubernetes cluster: one pod a run, on the node that has its files (execution.md §26). */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  RuntimeError,
  type ExecSession,
  type ImageRemoval,
  type MachineOffer,
  type PreparedImage,
  type ReachablePort,
  type RecoveredRun,
  type RunExit,
  type RunHandle,
  type RunSpecification,
  type RunStatistics,
  type Runtime,
  type RuntimeCapabilities,
} from '../port.ts';
import { ClusterError, type ClusterClient } from './client.ts';
import { exitOf, startProblem, vanished } from './exit.ts';
import { timeOf, type Pod } from './objects.ts';
import { labels, podName, runPod, workerLabel } from './run-pod.ts';

export interface KubernetesRuntimeOptions {
  readonly client: ClusterClient;
  /** Identity of the worker. */
  readonly worker: string;
  readonly workDirectory: string;
  readonly node: string | undefined;
  /** What the node has for runs; undefined where that is not known. */
  readonly offers: MachineOffer | undefined;
}

const longestPause = 5_000;
/** Bytes of what the shell says that are looked at. */
const longestLog = 64 * 1024;

export class KubernetesRuntime implements Runtime {
  readonly name = 'kubernetes';
  readonly description: string;
  readonly capabilities: RuntimeCapabilities;
  readonly offers: MachineOffer | undefined;
  readonly #options: KubernetesRuntimeOptions;
  readonly #client: ClusterClient;
  /** Pods that were killed: nothing tells of them once they are gone. */
  readonly #stopped = new Set<string>();

  constructor(options: KubernetesRuntimeOptions) {
    const { node, offers } = options;
    this.#options = options;
    this.#client = options.client;
    this.offers = offers;
    this.description = `Pods of a Kubernetes cluster${node === undefined ? '' : ` on the node ${node}`}; runs share the network of the cluster.`;
    this.capabilities = {
      images: true,
      cpuLimit: true,
      memoryLimit: true,
      networkIsolation: false,
      gpus: (offers?.gpus ?? 0) > 0,
      exec: false,
    };
  }

  /** The cluster pulls. */
  async prepareImage(reference: string): Promise<PreparedImage> {
    return { id: reference, digest: null, size: 0 };
  }

  async removeImage(): Promise<ImageRemoval> {
    return 'gone';
  }

  async start(specification: RunSpecification, signal: AbortSignal): Promise<RunHandle> {
    signal.throwIfAborted();
    const { uuid, epoch, image, directory } = specification;
    if (image === null) {
      throw new RuntimeError('This worker runs commands in container images: the run must name one', {
        userError: true,
      });
    }
    const { worker, workDirectory, node } = this.#options;
    const { uid, gid } = await stat(directory);
    const owner = { uid, gid };
    const label = workerLabel(worker);
    const manifest = runPod({ specification, image: image.id, worker: label, owner, workDirectory, node });
    const name = podName(uuid, epoch);
    try {
      await this.#create(name, manifest, label);
      await this.#untilStarted(name, signal);
    } catch (error) {
      if (!(error instanceof ClusterError) || error.status !== 0) await this.#remove(name);
      signal.throwIfAborted();
      throw startFailure(error);
    }
    return handleOf(uuid, epoch);
  }

  async recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    const pod = await this.#client.pod(nameOf(handle));
    if (pod === undefined) return undefined;
    const exit = await this.#exitOf(pod);
    if (exit !== undefined) return { state: 'ended', exit };
    const running = pod.status?.containerStatuses?.[0]?.state?.running;
    return { state: 'running', startedAt: timeOf(running?.startedAt ?? pod.status?.startTime) };
  }

  async list(): Promise<RunHandle[]> {
    const pods = await this.#client.podsWith(`${labels.worker}=${workerLabel(this.#options.worker)}`);
    return pods
      .filter(({ metadata }) => (metadata.deletionTimestamp ?? '') === '')
      .map(({ metadata }) =>
        handleOf(metadata.labels?.[labels.run] ?? '', Number(metadata.labels?.[labels.epoch])),
      );
  }

  async wait(
    handle: RunHandle,
    signal: AbortSignal,
    onTrouble: (words: string | undefined) => void = () => undefined,
  ): Promise<RunExit> {
    const name = nameOf(handle);
    for (let failures = 0; ;) {
      signal.throwIfAborted();
      try {
        for await (const pod of this.#client.watchPod(name, signal)) {
          if (failures > 0) onTrouble(undefined);
          failures = 0;
          const exit = pod === undefined ? this.#goneExit(name) : await this.#exitOf(pod);
          if (exit !== undefined) return exit;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw failure(error);
        failures += 1;
        onTrouble(error.message);
        await pauseAfter(failures, signal);
      }
    }
  }

  async stop(handle: RunHandle): Promise<void> {
    const name = nameOf(handle);
    const pod = await this.#client.pod(name);
    if (pod === undefined || (await this.#exitOf(pod)) !== undefined) return;
    this.#stopped.add(name);
    await this.#remove(name);
  }

  async destroy(handle: RunHandle): Promise<void> {
    const name = nameOf(handle);
    await this.#remove(name);
    this.#stopped.delete(name);
  }

  /** Nobody counts in the cluster without an add-on; zeros, as the original has it. */
  async statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    const pod = await this.#client.pod(nameOf(handle));
    if (pod === undefined || (await this.#exitOf(pod)) !== undefined) return undefined;
    return { cpuUser: 0, cpuSystem: 0, memory: 0, memoryMax: 0 };
  }

  async finalStatistics(): Promise<RunStatistics | undefined> {
    return undefined;
  }

  async reach(handle: RunHandle, port: number): Promise<ReachablePort | undefined> {
    const pod = await this.#client.pod(nameOf(handle));
    const host = pod?.status?.phase === 'Running' ? (pod.status.podIP ?? '') : '';
    return host === '' ? undefined : { host, port };
  }

  async exec(): Promise<ExecSession> {
    throw new RuntimeError('Commands cannot be started in runs that are pods', { userError: true });
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** A worker that died between creating a pod and noting it down starts the same attempt again. */
  async #create(name: string, manifest: object, label: string): Promise<void> {
    try {
      await this.#client.createPod(manifest);
    } catch (error) {
      if (!(error instanceof ClusterError) || error.status !== 409) throw error;
      const existing = await this.#client.pod(name);
      if (existing !== undefined && existing.metadata.labels?.[labels.worker] !== label) throw error;
      await this.#remove(name);
      await this.#client.createPod(manifest);
    }
  }

  /** A cluster that is away meanwhile may start it all the same, so it is asked again. */
  async #untilStarted(name: string, signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      try {
        if (await this.#startsWhileWatched(name, signal)) return;
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        await pauseAfter(failures, signal);
      }
    }
  }

  /** False: the watch has ended before. */
  async #startsWhileWatched(name: string, signal: AbortSignal): Promise<boolean> {
    for await (const pod of this.#client.watchPod(name, signal)) {
      if (pod === undefined) throw new RuntimeError('The pod of the run was removed', { userError: false });
      const problem = startProblem(pod);
      if (problem !== undefined)
        throw new RuntimeError(`The pod cannot start: ${problem}`, { userError: true });
      if (pod.status?.phase !== undefined && pod.status.phase !== 'Pending') return true;
    }
    return false;
  }

  /** Returns when it is gone. */
  async #remove(name: string): Promise<void> {
    await this.#client.deletePod(name, { graceSeconds: 0 });
    const never = new AbortController().signal;
    for (;;) {
      for await (const pod of this.#client.watchPod(name, never)) if (pod === undefined) return;
    }
  }

  #goneExit(name: string): RunExit {
    if (!this.#stopped.has(name)) return vanished;
    return { ...vanished, exitCode: 137, message: null, finishedAt: null, interrupted: false };
  }

  async #exitOf(pod: Pod): Promise<RunExit | undefined> {
    const exit = exitOf(pod, '');
    if (exit === undefined || exit.exitCode === 0 || exit.exitCode === null) return exit;
    return exitOf(pod, await this.#client.log(pod.metadata.name, longestLog));
  }
}

function nameOf({ uuid, epoch }: RunHandle): string {
  return podName(uuid, epoch);
}

function handleOf(uuid: string, epoch: number): RunHandle {
  return { runtime: 'kubernetes', uuid, epoch, data: { pod: podName(uuid, epoch) } };
}

async function pauseAfter(failures: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(longestPause, 100 * 2 ** failures), undefined, { signal });
}

/** The cluster is away or busy. */
function isPassing(error: unknown): error is ClusterError {
  return error instanceof ClusterError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

function failure(error: unknown): unknown {
  if (!(error instanceof ClusterError)) return error;
  return new RuntimeError(error.message, { userError: false, cause: error });
}

/** What the API calls invalid, another worker's cluster would refuse, too. */
function startFailure(error: unknown): unknown {
  if (!(error instanceof ClusterError)) return error;
  return new RuntimeError(error.message, { userError: error.status === 422, cause: error });
}
