/** From the command line to a pool of Slurm jobs. */
import type { OpenedPool } from '../open-pool.ts';
import type { CommandLine } from '../settings/command-line.ts';
import type { Settings } from '../settings/settings.ts';
import { runSlurmCommand } from './commands.ts';
import { readSlurmSettings } from './settings.ts';
import { SlurmPool } from './slurm-pool.ts';

/** @throws StartProblem */
export async function openSlurm(
  line: CommandLine,
  settings: Settings,
  around: { login: string; currentDirectory: string },
): Promise<OpenedPool> {
  const slurm = readSlurmSettings(line, around);
  const pool = new SlurmPool(settings, slurm, runSlurmCommand);
  if (!slurm.dryRun) await pool.check();
  const { cpus, gpus, memoryMegabytes, user, jobName, mostFailed, dryRun } = slurm;
  return {
    pool,
    size: { cpus, gpus, memory: memoryMegabytes * 1024 ** 2 },
    idPrefix: `${user}-${jobName}-`,
    mostFailed,
    ...(dryRun ? { preview: (worker) => pool.script(worker) } : {}),
  };
}
