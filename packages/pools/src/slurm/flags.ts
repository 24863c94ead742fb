/** The flags of `slurm-batch` (execution.md §27.4). */
import type { Flag } from '../settings/flag.ts';

export const slurmFlags = [
  { name: 'partition', value: 'NAME', required: true, help: 'Partition of the jobs, as sinfo lists them.' },
  {
    name: 'job-name',
    value: 'NAME',
    default: 'codalab-slurm-worker',
    help: 'What the jobs are called. Jobs of this name, user and partition are counted, also those from before this start.',
  },
  { name: 'nodelist', value: 'NODES', help: 'Only on these nodes.' },
  { name: 'exclude', value: 'NODES', help: 'Not on these nodes.' },
  { name: 'constraint', value: 'FEATURES', help: 'Only on nodes with these features.' },
  { name: 'cpus', value: 'N', default: '1', help: 'Processors of each worker.' },
  { name: 'gpus', value: 'N', default: '1', help: 'GPUs of each worker; 0 for none.' },
  { name: 'gpu-type', value: 'TYPE', help: 'Kind of GPU, as in gres=gpu:TYPE:N.' },
  { name: 'memory-mb', value: 'N', default: '2048', help: 'Memory of each worker, in megabytes.' },
  {
    name: 'time',
    value: 'TIME',
    default: '10-0',
    help: 'How long a worker may live, as sbatch takes it; its runs are given back when it is over.',
  },
  {
    name: 'account',
    value: 'NAME',
    default: 'nlp',
    help: 'Account that the jobs are booked on; "" for the one you have by default.',
  },
  {
    name: 'user',
    value: 'NAME',
    help: 'Whose jobs are counted, and part of the names. Default: you.',
  },
  {
    name: 'password-file',
    value: 'FILE',
    help: 'User name on the first line, password on the second (chmod 600); the workers read it, too, so it has to be on a filesystem that the nodes share. Without it they get what the program itself has found.',
  },
  {
    name: 'slurm-work-dir',
    value: 'DIR',
    default: 'slurm-worker-scratch',
    help: 'Where the scripts and the output of the jobs go, on a filesystem that the nodes share.',
  },
  {
    name: 'exit-after-num-failed',
    value: 'N',
    help: 'End when more jobs than this have failed.',
  },
  { name: 'dry-run', help: 'Show the script that would be submitted, and end.' },
] as const satisfies readonly Flag[];
