/** The flags that every kind of pool has, in the order of the help (execution.md §27.1). */
import type { Flag } from './flag.ts';

export const commonFlags = [
  {
    name: 'server',
    value: 'URL',
    default: 'http://localhost:2900',
    help: 'Address of the server, as the machines of the workers reach it, without /rest.',
  },
  {
    name: 'password-file',
    value: 'FILE',
    help: 'User name on the first line, password on the second; only you may have access to it (chmod 600). Without it CODALAB_USERNAME and CODALAB_PASSWORD are used, and else you are asked. The workers sign in as the same user.',
  },
  {
    name: 'credentials',
    value: 'FILE',
    help: 'JSON file with "username" and "password", as a server keeps it in administrator.json.',
  },
  {
    name: 'temp-session',
    help: 'Accepted without effect: no sign-in is kept, since the workers need the password anyway.',
  },
  {
    name: 'min-workers',
    value: 'N',
    default: '1',
    help: 'Keep at least so many workers, even if no run waits.',
  },
  { name: 'max-workers', value: 'N', default: '10', help: 'Never have more than so many.' },
  {
    name: 'search',
    value: 'TERM …',
    several: true,
    help: 'Look only at waiting runs that `cl search TERM …` finds, e.g. request_gpus=0. Any number of terms.',
  },
  { name: 'sleep-time', value: 'SECONDS', default: '5', help: 'How often to look whether runs wait.' },
  {
    name: 'min-seconds-between-workers',
    value: 'SECONDS',
    default: '60',
    help: 'Pause after each start of a worker, so that the one started is seen to work first.',
  },
  {
    name: 'restart-after-seconds',
    value: 'SECONDS',
    help: 'Start this program afresh so often. Workers are not affected.',
  },
  {
    name: 'no-prefilter',
    help: 'Start workers for runs that ask for more than --cpus, --gpus or --memory-mb, too.',
  },
  { name: 'once', help: 'Look once, start what is needed, and end.' },
  { name: 'verbose', help: 'Say at each look what was seen and decided.' },
  {
    name: 'worker-tag',
    value: 'TAG',
    help: 'The workers take runs that ask for this tag (`cl run --request-queue TAG`).',
  },
  { name: 'worker-tag-exclusive', help: 'They take only runs that ask for the tag.' },
  { name: 'worker-group', value: 'NAME', help: 'They execute runs of the members of this group, too.' },
  {
    name: 'worker-work-dir-prefix',
    value: 'DIR',
    default: '/tmp',
    help: 'Where their work directories are made.',
  },
  {
    name: 'worker-max-work-dir-size',
    value: 'SIZE',
    help: 'Size of their cache of dependencies, e.g. 10g.',
  },
  { name: 'worker-delete-work-dir-on-exit', help: 'They remove their work directory when they end.' },
  {
    name: 'worker-idle-seconds',
    value: 'SECONDS',
    default: '600',
    help: 'They end when they had no run for so long. A job that still waits to start is withdrawn when no run has waited for it for so long.',
  },
  {
    name: 'worker-exit-after-num-runs',
    value: 'N',
    help: 'They end after so many runs.',
  },
  {
    name: 'worker-checkin-frequency-seconds',
    value: 'N',
    help: 'Passed on; workers of this version ignore it.',
  },
  {
    name: 'worker-shared-memory-size-gb',
    value: 'N',
    help: 'Size of /dev/shm in containers, in gigabytes.',
  },
  {
    name: 'worker-download-dependencies-max-retries',
    value: 'N',
    default: '3',
    help: 'Attempts to get each dependency.',
  },
  {
    name: 'worker-pass-down-termination',
    help: 'When told to end, they give their runs back to the server.',
  },
  {
    name: 'worker-exit-on-exception',
    help: 'Passed on; workers of this version ignore it.',
  },
  {
    name: 'worker-preemptible',
    help: 'Their machines may be taken away at any time: runs then go to another worker.',
  },
  {
    name: 'worker-executable',
    value: 'PROGRAM',
    default: 'cl-worker',
    help: 'How the worker is called on the machines where it starts.',
  },
  { name: 'help', help: 'Show this text; behind the kind of pool, its own flags.' },
] as const satisfies readonly Flag[];
