/** The flags of `kubernetes` (execution.md §27.4). */
import { sizeFlags, workerImageFlag } from '../settings/container-flags.ts';
import type { Flag } from '../settings/flag.ts';

export const kubernetesFlags = [
  {
    name: 'cluster-host',
    value: 'URL',
    required: true,
    help: 'Address of the API server, as `kubectl cluster-info` shows it: https://host:6443.',
  },
  {
    name: 'auth-token',
    value: 'TOKEN',
    required: true,
    help: 'Token of a service account that may make pods; docs/pools/kubernetes.md makes one.',
  },
  {
    name: 'cert-path',
    value: 'FILE',
    default: '/dev/null',
    help: "File with the certificate of the cluster's authority; /dev/null where --cert holds it, or where it is one that everybody trusts.",
  },
  { name: 'cert', value: 'TEXT', help: 'The certificate itself; line breaks may be written as \\n.' },
  {
    name: 'bundle-runtime',
    value: 'docker|kubernetes',
    default: 'docker',
    help: 'How the workers execute runs: with the Docker Engine of their node, or each in a pod of its own.',
  },
  {
    name: 'nfs-volume-name',
    value: 'NAME',
    help: 'Keep the work directory on the claim NAME-claim, which the nodes share, instead of on each node.',
  },
  ...sizeFlags,
  workerImageFlag,
] as const satisfies readonly Flag[];
