/** A run as a pod (execution.md §26): plain data in, manifest out. */
import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { runScript } from '../command/shell.ts';
import type { RunSpecification } from '../port.ts';
import { literal } from './literal.ts';

export const labels = { worker: 'sheaf.worker', run: 'sheaf.run', epoch: 'sheaf.epoch' } as const;

export interface RunPodPlan {
  readonly specification: RunSpecification;
  readonly image: string;
  /** Identity of the worker, as its label. */
  readonly worker: string;
  /** Of the run directory. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Where runs and dependencies are, at the same path on the node. */
  readonly workDirectory: string;
  /** The node that has them; undefined where the worker does not know on which it is. */
  readonly node: string | undefined;
}

/** The name of the first attempt is that of the original; later ones carry their number, so that two never meet. */
export function podName(uuid: string, epoch: number): string {
  return epoch <= 1 ? `codalab-run-${uuid}` : `codalab-run-${uuid}-${epoch}`;
}

/** Identities may hold what a label may not. */
export function workerLabel(identity: string): string {
  return createHash('sha256').update(identity).digest('hex').slice(0, 32);
}

export function runPod(plan: RunPodPlan): object {
  const { specification: run, node } = plan;
  const home = `/${run.uuid}`;
  const name = podName(run.uuid, run.epoch);
  const volumes = new Volumes(plan.workDirectory);
  const volumeMounts = [
    volumes.mount(run.directory, home, false),
    ...run.mounts.map(({ source, target }) => volumes.mount(source, target, true)),
    ...(run.sharedMemory > 0 ? [volumes.sharedMemory(run.sharedMemory)] : []),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { [labels.worker]: plan.worker, [labels.run]: run.uuid, [labels.epoch]: String(run.epoch) },
    },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(node === undefined ? {} : { affinity: onNode(node) }),
      containers: [
        {
          name,
          image: plan.image,
          command: ['sh', '-c', withBashIfThere, runScript(run.command)].map(literal),
          workingDir: home,
          env: Object.entries({ ...run.environment, HOME: home, CODALAB: 'true' }).map(([key, value]) => ({
            name: key,
            value: literal(value),
          })),
          resources: resourcesOf(run),
          securityContext: {
            runAsUser: plan.owner.uid,
            runAsGroup: plan.owner.gid,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts,
        },
      ],
      volumes: volumes.all,
    },
  };
}

const withBashIfThere =
  'if command -v bash >/dev/null 2>&1; then exec bash -c "$0"; else exec sh -c "$0"; fi';

function resourcesOf({ cpuset, gpus, memory }: RunSpecification): object {
  const cpus = cpuset.length;
  const same = {
    ...(memory > 0 ? { memory: String(memory) } : {}),
    ...(gpus.length > 0 ? { 'nvidia.com/gpu': String(gpus.length) } : {}),
  };
  if (cpus === 0) return { limits: same, requests: same };
  return {
    limits: { cpu: String(cpus), ...same },
    requests: { cpu: cpus === 1 ? '0.5' : String(cpus), ...same },
  };
}

/** Exactly this node: what the run needs is on its disk. */
function onNode(node: string): object {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] };
  return {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
  };
}

/** One volume for all below the work directory, and others for what lies elsewhere. */
class Volumes {
  readonly all: object[] = [];
  readonly #names = new Map<string, string>();
  readonly #workDirectory: string;

  constructor(workDirectory: string) {
    this.#workDirectory = workDirectory;
  }

  mount(source: string, target: string, readOnly: boolean): object {
    const below = relative(this.#workDirectory, source);
    const inside = below !== '' && !below.startsWith('..') && !below.startsWith('/');
    const name = this.#volume(inside ? this.#workDirectory : source);
    return { name, mountPath: target, readOnly, ...(inside ? { subPath: below } : {}) };
  }

  sharedMemory(bytes: number): object {
    this.all.push({ name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: String(bytes) } });
    return { name: 'shm', mountPath: '/dev/shm' };
  }

  #volume(path: string): string {
    const known = this.#names.get(path);
    if (known !== undefined) return known;
    const name = `path-${this.#names.size}`;
    this.#names.set(path, name);
    this.all.push({ name, hostPath: { path } });
    return name;
  }
}
