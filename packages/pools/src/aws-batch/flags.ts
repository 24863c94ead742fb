/** The flags of `aws-batch` (execution.md §27.4). */
import { sizeFlags, userFlag, workerImageFlag } from '../settings/container-flags.ts';
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
  ...sizeFlags,
  userFlag,
  workerImageFlag,
] as const satisfies readonly Flag[];
