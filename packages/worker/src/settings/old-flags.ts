/** Flags that old start scripts and worker managers carry, and that decide nothing any more. */
import type { Flag } from './flags.ts';

const section = 'Kept for old start scripts';
const cluster = 'Ignored with --bundle-runtime docker; refused without --bundle-runtime.';

export const oldFlags = [
  {
    name: 'ws-server',
    value: 'URL',
    section,
    old: true,
    help: 'Ignored: the server is reached at --server for everything.',
  },
  {
    name: 'checkin-frequency-seconds',
    value: 'N',
    section,
    old: true,
    help: 'Ignored: the server answers as soon as there is something to do.',
  },
  {
    name: 'exit-on-exception',
    section,
    old: true,
    help: 'Ignored: an error in one run ends that run only, and the worker never sleeps over one.',
  },
  {
    name: 'bundle-runtime',
    value: 'docker',
    section,
    old: true,
    help: 'docker is --runtime docker. Kubernetes clusters are not supported yet.',
  },
  { name: 'kubernetes-cluster-host', value: 'URL', section, old: true, help: cluster },
  { name: 'kubernetes-auth-token', value: 'TOKEN', section, old: true, help: cluster },
  { name: 'kubernetes-cert-path', value: 'FILE', section, old: true, help: cluster },
  { name: 'kubernetes-cert', value: 'TEXT', section, old: true, help: cluster },
] as const satisfies readonly Flag[];
