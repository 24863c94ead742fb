/** A worker as a pod (execution.md §27.4). */
import { literal } from '@sheaf/runtimes/kubernetes';
import { join } from 'node:path';
import type { NewWorker } from '../pool.ts';
import type { Settings } from '../settings/settings.ts';
import { workerWords } from '../settings/worker-command.ts';
import type { KubernetesSettings } from './settings.ts';

export const appLabel = 'app';
export const app = 'cl-worker';
export const poolLabel = 'sheaf-pool';

export function podName(workerId: string): string {
  return `cl-worker-${workerId}`;
}

export function workerPod(
  settings: Settings,
  kubernetes: KubernetesSettings,
  worker: NewWorker,
  pool: string,
): object {
  const { access, runtime, cpus, gpus, memoryMegabytes } = kubernetes;
  const workDirectory = join(settings.worker.workDirectoryPrefix, 'codalab-worker-scratch');
  const [executable = '', ...flags] = workerWords(settings, {
    workerId: worker.id,
    workDirectory,
    // A pod that is ended is gone, and nobody goes on with what it had.
    passDownTermination: true,
    more: [
      '--bundle-runtime',
      runtime,
      ...(runtime === 'docker' ? ['--max-memory', `${memoryMegabytes}m`] : clusterFlags(access)),
    ],
  });
  const amounts = {
    memory: `${memoryMegabytes}Mi`,
    ...(gpus === 0 ? {} : { 'nvidia.com/gpu': String(gpus) }),
  };
  const docker = { name: 'docker', hostPath: { path: '/var/run/docker.sock' } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: podName(worker.id), labels: { [appLabel]: app, [poolLabel]: pool } },
    spec: {
      restartPolicy: 'Never',
      affinity: onePerNode,
      containers: [
        {
          name: podName(worker.id),
          image: kubernetes.image,
          command: [literal(executable)],
          args: flags.map(literal),
          env: [
            { name: 'CODALAB_USERNAME', value: literal(worker.username) },
            { name: 'CODALAB_PASSWORD', value: literal(worker.password) },
            {
              name: 'CODALAB_KUBERNETES_NODE_NAME',
              valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } },
            },
          ],
          resources: {
            limits: { cpu: String(cpus), ...amounts },
            // Nodes keep a part of their processors for themselves: a whole one may not be left.
            requests: { cpu: cpus === 1 ? '0.5' : String(cpus), ...amounts },
          },
          volumeMounts: [
            { name: 'work', mountPath: workDirectory },
            ...(runtime === 'docker' ? [{ name: docker.name, mountPath: docker.hostPath.path }] : []),
          ],
        },
      ],
      volumes: [
        { name: 'work', ...workVolume(kubernetes.nfsVolume, workDirectory) },
        ...(runtime === 'docker' ? [docker] : []),
      ],
    },
  };
}

/** Runs are mounted from where the worker has them, so the path is the same on the node. */
function workVolume(nfsVolume: string | null, path: string): object {
  return nfsVolume === null
    ? { hostPath: { path, type: 'DirectoryOrCreate' } }
    : { persistentVolumeClaim: { claimName: `${nfsVolume}-claim` } };
}

function clusterFlags({ host, token, certificate = '' }: KubernetesSettings['access']): string[] {
  return [
    '--kubernetes-cluster-host',
    host,
    '--kubernetes-auth-token',
    token,
    '--kubernetes-cert-path',
    '/dev/null',
    '--kubernetes-cert',
    certificate,
  ];
}

const onePerNode = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      {
        labelSelector: { matchExpressions: [{ key: appLabel, operator: 'In', values: [app] }] },
        topologyKey: 'kubernetes.io/hostname',
      },
    ],
  },
};
