/** The flags of `azure-batch` (execution.md §27.4). */
import { sizeFlags, userFlag, workerImageFlag } from '../settings/container-flags.ts';
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
  ...sizeFlags,
  userFlag,
  workerImageFlag,
] as const satisfies readonly Flag[];
