/** Flags of pools whose workers are containers (execution.md §27.4). */
import type { Flag } from './flag.ts';

export const sizeFlags = [
  { name: 'cpus', value: 'N', default: '1', help: 'Processors of each worker.' },
  { name: 'gpus', value: 'N', default: '0', help: 'GPUs of each worker.' },
  { name: 'memory-mb', value: 'N', default: '2048', help: 'Memory of each worker, in megabytes.' },
] as const satisfies readonly Flag[];

export const userFlag = {
  name: 'user',
  value: 'NAME',
  default: 'root',
  help: 'User that the worker runs as in its container.',
} as const satisfies Flag;

export const workerImageFlag = {
  name: 'worker-image',
  value: 'IMAGE',
  help: 'Image with cl-worker. Default: codalab/worker, of the version in CODALAB_VERSION, or else latest.',
} as const satisfies Flag;
