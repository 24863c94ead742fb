/** The flags of `aws-batch` (execution.md §27.4). */
import type { Flag } from '../settings/flag.ts';

export const awsFlags = [
  { name: 'region', value: 'REGION', default: 'us-east-1', help: 'Region of the queue.' },
  {
    name: 'job-queue',
    value: 'NAME',
    default: 'codalab-batch-cpu',
    help: 'Queue of the jobs; its compute environment decides on what machines they run.',
  },
  {
    name: 'job-definition-name',
    value: 'NAME',
    default: 'codalab-worker',
    help: 'Name of the job definition; each worker is a revision of it.',
  },
  {
    name: 'job-filter',
    value: 'REGEX',
    help: 'Jobs of the queue whose whole name matches are counted. Default: all.',
  },
  { name: 'cpus', value: 'N', default: '1', help: 'Processors of each worker.' },
  { name: 'gpus', value: 'N', default: '0', help: 'GPUs of each worker.' },
  { name: 'memory-mb', value: 'N', default: '2048', help: 'Memory of each worker, in megabytes.' },
  { name: 'user', value: 'NAME', default: 'root', help: 'User that the worker runs as in its container.' },
  {
    name: 'worker-image',
    value: 'IMAGE',
    help: 'Image with cl-worker. Default: codalab/worker, of the version in CODALAB_VERSION, or else latest.',
  },
] as const satisfies readonly Flag[];
