/** The kinds of pools there are; what each needs is loaded only where it is used. */
import { assertNever } from '@sheaf/domain';
import { userInfo } from 'node:os';
import { awsFlags } from './aws-batch/flags.ts';
import { azureFlags } from './azure-batch/flags.ts';
import { kubernetesFlags } from './kubernetes/flags.ts';
import type { NewWorker, Pool } from './pool.ts';
import type { CommandLine, TypeFlags } from './settings/command-line.ts';
import type { PoolType } from './settings/flag.ts';
import type { Settings } from './settings/settings.ts';
import { slurmFlags } from './slurm/flags.ts';

export interface OpenedPool {
  readonly pool: Pool;
  /** What each worker has; memory in bytes. */
  readonly size: { readonly cpus: number; readonly gpus: number; readonly memory: number };
  /** In front of the random part of a worker's id. */
  readonly idPrefix: string;
  readonly mostFailed?: number | null;
  /** Where nothing is to be started: what would be submitted. */
  readonly preview?: (worker: Pick<NewWorker, 'id'>) => string;
}

export const typeFlags: TypeFlags = {
  'slurm-batch': slurmFlags,
  kubernetes: kubernetesFlags,
  'aws-batch': awsFlags,
  'azure-batch': azureFlags,
};

/** @throws StartProblem */
export async function openPool(type: PoolType, line: CommandLine, settings: Settings): Promise<OpenedPool> {
  switch (type) {
    case 'slurm-batch': {
      const { openSlurm } = await import('./slurm/open.ts');
      return openSlurm(line, settings, { login: userInfo().username, currentDirectory: process.cwd() });
    }
    case 'kubernetes': {
      const { openKubernetes } = await import('./kubernetes/open.ts');
      return openKubernetes(line, settings, process.env);
    }
    case 'aws-batch': {
      const { openAwsBatch } = await import('./aws-batch/open.ts');
      return openAwsBatch(line, settings, process.env);
    }
    case 'azure-batch': {
      const { openAzureBatch } = await import('./azure-batch/open.ts');
      return openAzureBatch(line, settings, process.env);
    }
    default:
      return assertNever(type);
  }
}
