/** The flags of the worker program, in the order of its help (execution.md §16.1, §28). */
import { oldFlags } from './old-flags.ts';

export interface Flag {
  readonly name: string;
  /** What stands for the value in the help; none for a switch. */
  readonly value?: string;
  readonly default?: string;
  /** In English, for somebody who has never seen the program. */
  readonly help: string;
  readonly section: Section;
  /** Of the interface before this one; the help says so. */
  readonly old?: true;
}

export type Section =
  | 'Connection'
  | 'What the worker offers'
  | 'How runs are executed'
  | 'When the worker ends'
  | 'Other'
  | 'Kept for old start scripts';

const currentFlags = [
  {
    name: 'server',
    value: 'URL',
    default: 'http://localhost:2900',
    section: 'Connection',
    help: 'Address of the server, without /rest.',
  },
  {
    name: 'password-file',
    value: 'FILE',
    section: 'Connection',
    help: 'User name on the first line, password on the second; only you may have access to it (chmod 600). Without it CODALAB_USERNAME and CODALAB_PASSWORD are used, and else you are asked.',
  },
  {
    name: 'credentials',
    value: 'FILE',
    section: 'Connection',
    help: 'JSON file with "username" and "password", as the server keeps it in administrator.json.',
  },
  {
    name: 'id',
    value: 'NAME',
    section: 'Connection',
    help: 'Name of the worker in `cl workers`; a worker started again with the same name and work directory goes on with its runs. Default: host name and process number.',
  },
  {
    name: 'work-dir',
    value: 'DIR',
    default: 'codalab-worker-scratch',
    section: 'Connection',
    help: 'Where runs execute and dependencies are cached.',
  },
  {
    name: 'tag',
    value: 'TAG',
    section: 'What the worker offers',
    help: 'Take the runs that ask for this tag (`cl run --request-queue TAG`). Letters, digits and hyphens.',
  },
  {
    name: 'tag-exclusive',
    section: 'What the worker offers',
    help: 'Take only runs that ask for the tag.',
  },
  {
    name: 'group',
    value: 'NAME',
    section: 'What the worker offers',
    help: 'Execute runs of the members of this group, too.',
  },
  {
    name: 'slots',
    value: 'N',
    section: 'What the worker offers',
    old: true,
    help: 'Execute at most this many runs at once. Default: as many as processors, GPUs and memory allow.',
  },
  {
    name: 'cpuset',
    value: 'ALL|0,1,…',
    default: 'ALL',
    section: 'What the worker offers',
    help: 'Numbers of the processors to use, e.g. 0,2 or 0-3.',
  },
  {
    name: 'gpuset',
    value: 'ALL|NONE|0,1,…',
    default: 'ALL',
    section: 'What the worker offers',
    help: 'Indices or uuids of the GPUs to use, as `nvidia-smi` lists them.',
  },
  {
    name: 'max-memory',
    value: 'SIZE',
    section: 'What the worker offers',
    help: 'Memory for all runs together, e.g. 8g. Default, and at most: all there is.',
  },
  {
    name: 'preemptible',
    section: 'What the worker offers',
    help: 'The machine may be taken away at any time: runs then go to another worker.',
  },
  {
    name: 'runtime',
    value: 'auto|docker|podman|runc|apptainer|sandbox',
    default: 'auto',
    section: 'How runs are executed',
    help: 'docker, podman: in containers of that engine. runc: in containers without an engine, as root. apptainer: in containers without an engine, as any user. sandbox: on this system, isolated, without images. auto: the first of these that is there. Environment variable: SHEAF_RUNTIME.',
  },
  {
    name: 'bundle-runtime',
    value: 'docker|kubernetes',
    section: 'How runs are executed',
    help: 'docker: as --runtime docker. kubernetes: each run is a pod of the cluster that the next flags name; the worker itself is best a pod, too, and says in CODALAB_KUBERNETES_NODE_NAME on which node.',
  },
  {
    name: 'kubernetes-cluster-host',
    value: 'URL',
    section: 'How runs are executed',
    help: 'Address of the API server, such as https://host:6443.',
  },
  {
    name: 'kubernetes-auth-token',
    value: 'TOKEN',
    section: 'How runs are executed',
    help: 'Token of an account that may make pods; deploy/kubernetes has one.',
  },
  {
    name: 'kubernetes-cert-path',
    value: 'FILE',
    section: 'How runs are executed',
    help: "Certificate of the cluster's authority; /dev/null where --kubernetes-cert holds it.",
  },
  {
    name: 'kubernetes-cert',
    value: 'TEXT',
    section: 'How runs are executed',
    help: 'The certificate itself; line breaks may be written as \\n.',
  },
  {
    name: 'max-work-dir-size',
    value: 'SIZE',
    default: '10g',
    section: 'How runs are executed',
    help: 'Size of the cache of dependencies; those unused longest are removed first, those in use never.',
  },
  {
    name: 'max-image-cache-size',
    value: 'SIZE',
    section: 'How runs are executed',
    help: 'Remove the images unused longest above this total, those in use never. Default: keep all.',
  },
  {
    name: 'max-image-size',
    value: 'SIZE',
    section: 'How runs are executed',
    help: 'Refuse to download larger images.',
  },
  {
    name: 'shared-memory-size-gb',
    value: 'N',
    default: '1',
    section: 'How runs are executed',
    help: 'Size of /dev/shm in containers, in gigabytes.',
  },
  {
    name: 'network-prefix',
    value: 'NAME',
    section: 'How runs are executed',
    help: 'How the names of the container networks begin. Workers with the same prefix share them. Default: sheaf.',
  },
  {
    name: 'download-dependencies-max-retries',
    value: 'N',
    default: '3',
    section: 'How runs are executed',
    help: 'Attempts to get each dependency. A server that is away does not count.',
  },
  {
    name: 'verify-dependencies',
    section: 'How runs are executed',
    help: 'Hash cached dependencies again before each use.',
  },
  {
    name: 'local-store',
    value: 'DIR',
    section: 'How runs are executed',
    help: 'Contents directory of a server on this machine: dependencies are linked from it instead of downloaded.',
  },
  {
    name: 'shared-file-system',
    section: 'How runs are executed',
    help: 'The contents of the server are at the same paths on this machine: nothing is downloaded or uploaded.',
  },
  {
    name: 'exit-when-idle',
    section: 'When the worker ends',
    help: 'End when there was no run for more than --idle-seconds.',
  },
  {
    name: 'idle-seconds',
    value: 'N',
    default: '0',
    section: 'When the worker ends',
    help: 'How long without runs counts as idle.',
  },
  {
    name: 'exit-after-num-runs',
    value: 'N',
    section: 'When the worker ends',
    help: 'End after this many runs have been taken and are done.',
  },
  {
    name: 'pass-down-termination',
    section: 'When the worker ends',
    help: 'When told to end, give runs back to the server. Without it they go on, for the next worker of the same name.',
  },
  {
    name: 'delete-work-dir-on-exit',
    section: 'When the worker ends',
    help: 'Remove the work directory at the end, unless runs are left in it.',
  },
  {
    name: 'verbose',
    section: 'Other',
    help: 'Log more. SHEAF_LOG_LEVEL sets the level exactly.',
  },
  {
    name: 'skip-unknown-flags',
    section: 'Other',
    help: 'Warn about unknown flags instead of refusing them. worker.sh always does.',
  },
  { name: 'help', section: 'Other', help: 'Show this text.' },
] as const satisfies readonly Flag[];

export const flags = [...currentFlags, ...oldFlags] as const satisfies readonly Flag[];

export type FlagName = (typeof flags)[number]['name'];
