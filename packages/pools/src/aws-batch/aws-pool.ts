/** Workers as jobs of AWS Batch (execution.md §27.4). */
import type { BatchClient, JobStatus, JobSummary } from '@aws-sdk/client-batch';
import {
  CancelJobCommand,
  ListJobsCommand,
  RegisterJobDefinitionCommand,
  SubmitJobCommand,
  type RegisterJobDefinitionCommandInput,
} from '@aws-sdk/client-batch';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { PoolError, type NewWorker, type Pool, type PoolJob } from '../pool.ts';
import { cloudJobName, workerOfCloudJob } from '../settings/cloud-job.ts';
import { poolKey } from '../settings/pool-key.ts';
import type { Settings } from '../settings/settings.ts';
import type { SharedContents } from '../settings/shared-contents.ts';
import type { WorkerSize } from '../settings/size.ts';
import { workerWords } from '../settings/worker-command.ts';
import { watchedCommand } from './termination-watch.ts';

export interface AwsSettings {
  readonly queue: string;
  readonly definition: string;
  readonly filter: RegExp;
  readonly size: WorkerSize;
  readonly user: string;
  readonly image: string;
  readonly shared: SharedContents;
}

const live: readonly JobStatus[] = ['SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING', 'RUNNING'];
/** Milliseconds for which a failure tells something about the next start. */
const lately = 15 * 60_000;

export class AwsPool implements Pool {
  readonly description: string;
  readonly #client: BatchClient;
  readonly #settings: Settings;
  readonly #aws: AwsSettings;
  readonly #clock: Clock;

  constructor(client: BatchClient, settings: Settings, aws: AwsSettings, clock: Clock) {
    this.description = `AWS Batch queue ${aws.queue}`;
    this.#client = client;
    this.#settings = settings;
    this.#aws = aws;
    this.#clock = clock;
  }

  async start(worker: NewWorker): Promise<string> {
    return translated(async () => {
      const definition = new RegisterJobDefinitionCommand(definitionOf(this.#settings, this.#aws, worker));
      const { jobDefinitionArn } = await this.#client.send(definition);
      const { jobId } = await this.#client.send(
        new SubmitJobCommand({
          jobName: cloudJobName(worker.id),
          jobQueue: this.#aws.queue,
          jobDefinition: jobDefinitionArn,
          containerOverrides: {
            environment: [
              { name: 'CODALAB_USERNAME', value: worker.username },
              { name: 'CODALAB_PASSWORD', value: worker.password },
            ],
          },
        }),
      );
      if (jobId === undefined) throw new PoolError('AWS Batch did not say how the job is called.');
      return jobId;
    });
  }

  async list(): Promise<PoolJob[]> {
    const since = this.#clock.now() - lately;
    const found = await Promise.all([...live, 'FAILED' as const].map((status) => this.#jobs(status)));
    return found
      .flat()
      .filter(({ status, stoppedAt = 0 }) => status !== 'FAILED' || stoppedAt > since)
      .filter(({ jobName = '' }) => this.#aws.filter.test(jobName))
      .flatMap((job) => jobsOf(job, poolKey(this.#settings)));
  }

  /** One that is starting already stays: Batch does not cancel it. */
  async stop({ id }: PoolJob): Promise<void> {
    const reason = 'No run waits for this worker any more.';
    await translated(() => this.#client.send(new CancelJobCommand({ jobId: id, reason })));
  }

  async #jobs(jobStatus: JobStatus): Promise<JobSummary[]> {
    const jobs: JobSummary[] = [];
    let nextToken: string | undefined;
    do {
      const question = new ListJobsCommand({ jobQueue: this.#aws.queue, jobStatus, nextToken });
      const page = await translated(() => this.#client.send(question));
      jobs.push(...(page.jobSummaryList ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined && nextToken !== '');
    return jobs;
  }
}

/** None where it is another pool's. */
function jobsOf(summary: JobSummary, pool: string): PoolJob[] {
  const { jobId = '', jobName = '', status, createdAt, startedAt, ...job } = summary;
  const worker = workerOfCloudJob(jobName, pool);
  if (worker === undefined) return [];
  const { statusReason, container } = job;
  const exit = container?.exitCode === undefined ? undefined : `exit code ${container.exitCode}`;
  const words = [status === 'FAILED' ? 'FAILED' : undefined, statusReason, container?.reason, exit];
  const one: PoolJob = {
    id: jobId,
    workerId: worker === 'unknown' ? undefined : worker.workerId,
    phase: status === 'FAILED' ? 'ended' : status === 'RUNNING' ? 'running' : 'waiting',
    submittedAt: createdAt,
    runningSince: startedAt,
    note: words.filter((word) => word !== undefined && word !== '').join(', '),
    // Those that are ended from outside are no failures.
    failed: status === 'FAILED' && container?.exitCode !== undefined,
  };
  return [one];
}

function definitionOf(
  settings: Settings,
  aws: AwsSettings,
  worker: NewWorker,
): RegisterJobDefinitionCommandInput {
  const { cpus, gpus, memoryMegabytes } = aws.size;
  const workDirectory = join(settings.worker.workDirectoryPrefix, `cl_worker_${worker.id}_work_dir`);
  const more = [...aws.shared.flags, '--max-memory', `${memoryMegabytes}m`];
  const [executable = '', ...flags] = workerWords(settings, { workerId: worker.id, workDirectory, more });
  const paths = ['/var/run/docker.sock', workDirectory, aws.shared.mount].filter(
    (path) => path !== undefined,
  );
  return {
    jobDefinitionName: aws.definition,
    type: 'container',
    retryStrategy: { attempts: 1 },
    containerProperties: {
      image: aws.image,
      command: ['sh', '-c', watchedCommand(executable, flags)],
      resourceRequirements: [
        { type: 'VCPU', value: String(cpus) },
        { type: 'MEMORY', value: String(memoryMegabytes) },
        ...(gpus === 0 ? [] : [{ type: 'GPU' as const, value: String(gpus) }]),
      ],
      user: aws.user,
      // Runs are containers of the machine's own engine, so the paths are the same there.
      volumes: paths.map((sourcePath, index) => ({ name: `path-${index}`, host: { sourcePath } })),
      mountPoints: paths.map((containerPath, index) => ({ sourceVolume: `path-${index}`, containerPath })),
    },
  };
}

async function translated<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof PoolError || !(error instanceof Error)) throw error;
    throw new PoolError(`AWS Batch: ${error.message.replace(/\.$/, '')}.${advice(error.name)}`, {
      cause: error,
    });
  }
}

function advice(name: string): string {
  return name === 'CredentialsProviderError'
    ? ' Sign in as for the command `aws`: with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile.'
    : '';
}
