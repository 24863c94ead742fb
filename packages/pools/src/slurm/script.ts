/** The script of a job: what is asked of Slurm, and the worker (execution.md §27.4). */
import { joinShellWords } from '@sheaf/domain';
import type { SlurmSettings } from './settings.ts';

export interface JobScript {
  readonly slurm: SlurmSettings;
  /** Told to Slurm, and found again in its list. */
  readonly comment: string;
  /** Where the output goes; absolute. */
  readonly output: string;
  /** As the shell takes it. */
  readonly executable: string;
  readonly flags: readonly string[];
}

export function jobScript({ slurm, comment, output, executable, flags }: JobScript): string {
  return [
    '#!/bin/bash',
    ...optionsOf(slurm, { comment, output }).map(([name, value]) => `#SBATCH --${name}=${quoted(value)}`),
    '',
    ...gpuLines(slurm.gpus),
    '# Since version 22.05 srun does not take this over from the job.',
    'export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"',
    `srun --unbuffered ${executable} ${joinShellWords(flags)} --gpuset "$gpus"`,
    '',
  ].join('\n');
}

function optionsOf(slurm: SlurmSettings, job: { comment: string; output: string }): [string, string][] {
  const { gpus, gpuType, account, constraint, nodelist, exclude } = slurm;
  const optional = (name: string, value: string | null): [string, string][] =>
    value === null ? [] : [[name, value]];
  return [
    ['job-name', slurm.jobName],
    ['mem', `${slurm.memoryMegabytes}M`],
    ['partition', slurm.partition],
    ...optional('gres', gpus === 0 ? null : `gpu:${gpuType === null ? '' : `${gpuType}:`}${gpus}`),
    ['cpus-per-task', String(slurm.cpus)],
    ['ntasks-per-node', '1'],
    ['time', slurm.time],
    ['open-mode', 'append'],
    // A percent sign would stand for something else.
    ['output', job.output.replaceAll('%', '%%')],
    ['comment', job.comment],
    ...optional('account', account),
    ...optional('constraint', constraint),
    ...optional('nodelist', nodelist),
    ...optional('exclude', exclude),
  ];
}

function quoted(value: string): string {
  return /^[\w./:,=@%+&|*[\]-]+$/.test(value) ? value : `"${value}"`;
}

/** Where Slurm does not hide the GPUs of others, those are meant that it names in CUDA_VISIBLE_DEVICES. */
function gpuLines(gpus: number): string[] {
  if (gpus === 0) return ['gpus=NONE'];
  return [
    `gpus=$(nvidia-smi -L 2>/dev/null | awk -v booked=${gpus} -v named="$CUDA_VISIBLE_DEVICES" '`,
    '  match($0, /UUID: [^)]*/) { uuid[count++] = substr($0, RSTART + 6, RLENGTH - 6) }',
    '  END {',
    '    if (count <= booked || split(named, index_of, ",") == 0) for (i = 0; i < count; i++) index_of[i + 1] = i',
    '    for (i = 1; i in index_of; i++) printf "%s%s", (i > 1 ? "," : ""), uuid[index_of[i]]',
    "  }')",
    'gpus=${gpus:-NONE}',
  ];
}
