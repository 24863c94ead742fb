/** Workers as jobs of Slurm, through sbatch, squeue, scancel and sinfo (execution.md §27.4). */
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PoolError, type NewWorker, type Pool, type PoolJob } from '../pool.ts';
import { poolKey } from '../settings/pool-key.ts';
import type { Settings } from '../settings/settings.ts';
import { StartProblem } from '../settings/start-problem.ts';
import { workerWords } from '../settings/worker-command.ts';
import type { RunCommand } from './commands.ts';
import { commentOf, jobFormat, parseJobs } from './jobs.ts';
import { jobScript } from './script.ts';
import type { SlurmSettings } from './settings.ts';

/** Bytes of a job's output that are searched for its last words. */
const tail = 4096;

export class SlurmPool implements Pool {
  readonly description: string;
  readonly #settings: Settings;
  readonly #slurm: SlurmSettings;
  readonly #run: RunCommand;
  readonly #key: string;

  constructor(settings: Settings, slurm: SlurmSettings, run: RunCommand) {
    this.description = `Slurm partition ${slurm.partition}`;
    this.#settings = settings;
    this.#slurm = slurm;
    this.#run = run;
    this.#key = poolKey(settings);
  }

  /** @throws StartProblem Slurm answers, and has no such partition */
  async check(): Promise<void> {
    const { partition } = this.#slurm;
    let known: string[];
    try {
      const listed = await this.#run('sinfo', ['--noheader', '--format=%R']);
      known = listed.split('\n').filter((name) => name !== '');
    } catch (error) {
      // A controller that is away may come back.
      if (error instanceof PoolError) return;
      throw error;
    }
    const strange = partition.split(',').find((name) => !known.includes(name));
    if (strange === undefined) return;
    throw new StartProblem(
      `Slurm has no partition "${strange}": --partition takes one of ${[...new Set(known)].join(', ')}.`,
    );
  }

  /** What would be submitted for a worker. */
  script(worker: Pick<NewWorker, 'id'>): string {
    const { passwordFile, memoryMegabytes, user } = this.#slurm;
    const [executable = '', ...flags] = workerWords(this.#settings, {
      workerId: worker.id,
      workDirectory: join(
        this.#settings.worker.workDirectoryPrefix,
        `${user}-codalab-SlurmBatchWorkerManager-scratch`,
        'workdir',
      ),
      // Slurm ends a job with a signal, and what it would leave behind nobody takes up in time.
      passDownTermination: true,
      more: [
        ...(passwordFile === null ? [] : ['--password-file', passwordFile]),
        '--max-memory',
        `${memoryMegabytes}m`,
      ],
    });
    const comment = commentOf(worker.id, this.#key);
    return jobScript({ slurm: this.#slurm, comment, output: this.#output(worker.id), executable, flags });
  }

  async start(worker: NewWorker): Promise<string> {
    await mkdir(this.#slurm.directory, { recursive: true });
    const path = join(this.#slurm.directory, `${worker.id}.sh`);
    await writeFile(path, this.script(worker), { mode: 0o700 });
    // Jobs get the environment of whoever submits them.
    const account =
      this.#slurm.passwordFile === null
        ? { CODALAB_USERNAME: worker.username, CODALAB_PASSWORD: worker.password }
        : {};
    const answer = await this.#run('sbatch', ['--parsable', path], account);
    const id = answer.trim().split(';')[0] ?? '';
    if (!/^\d+$/.test(id))
      throw new PoolError(`Slurm (sbatch) answered "${answer.trim()}" instead of a job.`);
    return id;
  }

  async list(): Promise<PoolJob[]> {
    const { user, partition, jobName } = this.#slurm;
    const which = [`--user=${user}`, `--partition=${partition}`, `--name=${jobName}`];
    const text = await this.#run('squeue', ['--noheader', '--states=all', ...which, `--format=${jobFormat}`]);
    const jobs = parseJobs(text, this.#key);
    return Promise.all(jobs.map((job) => this.#withLastWords(job)));
  }

  async stop({ id }: PoolJob): Promise<void> {
    try {
      // One that has started meanwhile stays: it may have taken a run.
      await this.#run('scancel', ['--state=PENDING', id]);
    } catch (error) {
      if (!(error instanceof PoolError) || !/Invalid job id/i.test(error.message)) throw error;
    }
  }

  #output(workerId: string): string {
    return join(this.#slurm.directory, `${workerId}.out`);
  }

  async #withLastWords(job: PoolJob): Promise<PoolJob> {
    if (!job.failed || job.workerId === undefined) return job;
    const path = this.#output(job.workerId);
    const words = await lastLine(path);
    return words === undefined
      ? job
      : { ...job, note: `${job.note}, with the last words "${words}" (${path})` };
  }
}

/** Undefined where there is no output (yet), or it cannot be read from here. */
async function lastLine(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tail), 0, tail, Math.max(0, size - tail));
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines.findLast((line) => line.trim() !== '' && !/^(?:srun|slurmstepd): /.test(line))?.trim();
  } catch {
    return undefined;
  }
}
