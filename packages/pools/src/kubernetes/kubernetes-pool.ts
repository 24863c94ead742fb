/** Workers as pods of a Kubernetes cluster (execution.md §27.4). */
import { ClusterError, timeOf, type ClusterClient, type Pod } from '@sheaf/runtimes/kubernetes';
import type { Clock } from '../clock.ts';
import { PoolError, type NewWorker, type Pool, type PoolJob } from '../pool.ts';
import { poolKey } from '../settings/pool-key.ts';
import type { Settings } from '../settings/settings.ts';
import { app, appLabel, podName, poolLabel, workerPod } from './manifest.ts';
import type { KubernetesSettings } from './settings.ts';

/** Milliseconds that pods which have ended are kept, for whoever wants to know why. */
const keepEnded = 10 * 60_000;
/** Ended by the cluster, and not because something is broken. */
const endedByCluster = new Set(['Evicted', 'Shutdown', 'NodeShutdown', 'Terminated', 'Preempting']);

export class KubernetesPool implements Pool {
  readonly description: string;
  readonly #client: ClusterClient;
  readonly #settings: Settings;
  readonly #kubernetes: KubernetesSettings;
  readonly #clock: Clock;
  readonly #key: string;

  constructor(client: ClusterClient, settings: Settings, kubernetes: KubernetesSettings, clock: Clock) {
    this.description = `Kubernetes cluster at ${kubernetes.access.host}`;
    this.#client = client;
    this.#settings = settings;
    this.#kubernetes = kubernetes;
    this.#clock = clock;
    this.#key = poolKey(settings);
  }

  async start(worker: NewWorker): Promise<string> {
    const manifest = workerPod(this.#settings, this.#kubernetes, worker, this.#key);
    return translated(async () => (await this.#client.createPod(manifest)).metadata.name);
  }

  async list(): Promise<PoolJob[]> {
    return translated(async () => {
      const pods = await this.#client.podsWith(`${appLabel}=${app}`);
      const own = pods.filter(({ metadata: { labels } }) => (labels?.[poolLabel] ?? this.#key) === this.#key);
      const jobs = own.map((pod) => ({ pod, job: jobOf(pod) }));
      const old = jobs.filter(({ pod, job }) => job.phase === 'ended' && this.#isOld(pod));
      for (const { job } of old) await this.#client.deletePod(job.id);
      return jobs.filter((one) => !old.includes(one)).map(({ job }) => job);
    });
  }

  async stop({ id }: PoolJob): Promise<void> {
    await translated(async () => {
      const pod = await this.#client.pod(id);
      if (pod?.status?.phase !== 'Pending') return;
      // One that has started meanwhile stays: it may have taken a run.
      await this.#client.deletePod(id, { unchangedSince: pod.metadata.resourceVersion ?? undefined });
    });
  }

  #isOld({ status }: Pod): boolean {
    const finished = timeOf(status?.containerStatuses?.[0]?.state?.terminated?.finishedAt);
    return finished !== null && this.#clock.now() - finished > keepEnded;
  }
}

function jobOf({ metadata, status }: Pod): PoolJob {
  const phase = phaseOf(status?.phase ?? 'Pending');
  const prefix = podName('');
  const { name } = metadata;
  return {
    id: name,
    workerId: name.startsWith(prefix) ? name.slice(prefix.length) : undefined,
    phase,
    submittedAt: timeOf(metadata.creationTimestamp) ?? undefined,
    runningSince: runningSince(status),
    note: phase === 'waiting' ? whyItWaits(status) : howItEnded(status),
    failed: status?.phase === 'Failed' && !endedByCluster.has(status.reason ?? ''),
  };
}

function runningSince(status: Pod['status']): number | undefined {
  const running = status?.containerStatuses?.[0]?.state?.running;
  return timeOf(running?.startedAt ?? status?.startTime) ?? undefined;
}

function phaseOf(phase: string): PoolJob['phase'] {
  if (phase === 'Pending') return 'waiting';
  return phase === 'Succeeded' || phase === 'Failed' ? 'ended' : 'running';
}

function whyItWaits(status: Pod['status']): string {
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  const condition = status?.conditions?.find((one) => one.status === 'False' && (one.message ?? '') !== '');
  const words = [waiting?.reason, waiting?.message ?? condition?.message];
  return words.filter((word) => word !== undefined && word !== null && word !== '').join(': ');
}

function howItEnded(status: Pod['status']): string {
  const ended = status?.containerStatuses?.[0]?.state?.terminated;
  const code = ended === undefined || ended === null ? '' : `exit code ${ended.exitCode}`;
  const words = [status?.reason ?? ended?.reason, code, status?.message ?? ended?.message];
  return words.filter((word) => word !== undefined && word !== null && word !== '').join(', ');
}

async function translated<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ClusterError) throw new PoolError(error.message, { cause: error });
    throw error;
  }
}
