/** The texts of `cl-worker-manager --help` and `cl-worker-manager <kind> --help`. */
import { describeFlag } from '@sheaf/client/node';
import type { TypeFlags } from './command-line.ts';
import { commonFlags } from './common-flags.ts';
import { poolTypes, type Flag, type PoolType } from './flag.ts';

const kinds: Readonly<Record<PoolType, string>> = {
  'slurm-batch': 'jobs of a Slurm cluster, on which sbatch works from here',
  kubernetes: 'pods of a Kubernetes cluster',
  'aws-batch': 'jobs of a queue of AWS Batch',
  'azure-batch': 'tasks of a job of Azure Batch',
};

const opening = `Usage: cl-worker-manager [flags] ${poolTypes.join('|')} [flags]

Starts workers where and while runs wait for them, and lets them end when there is nothing to do. It looks at the waiting
runs that its user's workers may execute, and starts a worker for those that no worker takes. It keeps nothing of its
own: ended and started again, it finds the jobs it has started and goes on. One is needed for each kind of worker:

  cl-worker-manager --server https://sheaf.example.org --password-file ~/.sheaf-password \\
    --worker-tag big --max-workers 4 slurm-batch --partition main --cpus 8 --memory-mb 32000 --gpus 0
  cl run --request-queue big --request-cpus 8 'make all'
`;

/** @param type the kind whose own flags are asked for */
export function helpText(type: PoolType | undefined, typeFlags: TypeFlags): string {
  if (type === undefined) {
    const list = Object.entries(kinds).map(([name, what]) => `  ${name.padEnd(12)}  ${what}`);
    return [
      opening,
      `Kinds of pools (cl-worker-manager KIND --help lists their flags):\n${list.join('\n')}\n`,
      `Flags of all:\n${describeAll(commonFlags)}`,
    ].join('\n');
  }
  return [
    `Usage: cl-worker-manager [flags] ${type} [flags]\n`,
    `Workers are ${kinds[type]}. docs/pools/ shows how to set it up.\n`,
    `Flags of ${type}:\n${describeAll(typeFlags[type])}\n`,
    'Flags of all kinds: cl-worker-manager --help',
  ].join('\n');
}

function describeAll(flags: readonly Flag[]): string {
  return flags.map((flag) => describeFlag(flag, flag.required === true ? 'required' : undefined)).join('\n');
}
