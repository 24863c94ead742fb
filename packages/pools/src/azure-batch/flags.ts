/** The flags of `azure-batch` (execution.md §27.4). */
import type { Flag } from '../settings/flag.ts';

export const azureFlags = [
  { name: 'account-name', value: 'NAME', required: true, help: 'Name of the Batch account.' },
  { name: 'account-key', value: 'KEY', required: true, help: 'Its key, as the portal shows it.' },
  {
    name: 'service-url',
    value: 'URL',
    required: true,
    help: 'Its address, such as https://account.westeurope.batch.azure.com.',
  },
  {
    name: 'log-container-url',
    value: 'URL',
    required: true,
    help: 'Storage container for the output of workers, with a signature that allows to write.',
  },
  {
    name: 'job-id',
    value: 'ID',
    required: true,
    help: 'Job that workers are tasks of; its pool has to run containers.',
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
