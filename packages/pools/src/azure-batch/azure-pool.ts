/** Workers as tasks of a job of Azure Batch (execution.md §27.4). */
import { joinShellWords } from '@sheaf/domain';
import { join } from 'node:path';
import type { NewWorker, Pool, PoolJob } from '../pool.ts';
import { cloudJobName, workerOfCloudJob } from '../settings/cloud-job.ts';
import { poolKey } from '../settings/pool-key.ts';
import type { Settings } from '../settings/settings.ts';
import type { SharedContents } from '../settings/shared-contents.ts';
import type { WorkerSize } from '../settings/size.ts';
import { workerWords } from '../settings/worker-command.ts';
import type { AzureClient, Task } from './client.ts';

export interface AzureSettings {
  readonly job: string;
  readonly logContainer: string;
  readonly size: WorkerSize;
  readonly user: string;
  readonly image: string;
  readonly shared: SharedContents;
}

export class AzurePool implements Pool {
  readonly description: string;
  readonly #client: AzureClient;
  readonly #settings: Settings;
  readonly #azure: AzureSettings;

  constructor(client: AzureClient, settings: Settings, azure: AzureSettings) {
    this.description = `Azure Batch job ${azure.job}`;
    this.#client = client;
    this.#settings = settings;
    this.#azure = azure;
  }

  async start(worker: NewWorker): Promise<string> {
    const id = cloudJobName(worker.id);
    await this.#client.addTask(this.#azure.job, taskOf(this.#settings, this.#azure, worker, id));
    return id;
  }

  async list(): Promise<PoolJob[]> {
    const tasks = await this.#client.tasks(this.#azure.job);
    return tasks.flatMap((task) => jobsOf(task, poolKey(this.#settings)));
  }

  /** The service has no way to withdraw a task only while it waits: looked at once more right before. */
  async stop({ id }: PoolJob): Promise<void> {
    const now = (await this.list()).find((job) => job.id === id);
    if (now?.phase === 'waiting') await this.#client.deleteTask(this.#azure.job, id);
  }
}

/** None where it is another pool's. */
function jobsOf(task: Task, pool: string): PoolJob[] {
  const { id, state, creationTime, executionInfo } = task;
  const worker = workerOfCloudJob(id, pool);
  if (worker === undefined) return [];
  const one: PoolJob = {
    id,
    workerId: worker === 'unknown' ? undefined : worker.workerId,
    phase: state === 'completed' ? 'ended' : state === 'running' ? 'running' : 'waiting',
    submittedAt: timeOf(creationTime),
    runningSince: state === 'running' ? timeOf(executionInfo?.startTime) : undefined,
    note: noteOf(task),
    failed: hasFailed(task),
  };
  return [one];
}

function noteOf({ executionInfo }: Task): string {
  const failure = executionInfo?.failureInfo;
  const code = executionInfo?.exitCode ?? null;
  const words = [failure?.code, failure?.message, code === null ? '' : `exit code ${code}`];
  return words.filter((word) => (word ?? '') !== '').join(', ');
}

/** Those that are ended from outside are no failures. */
function hasFailed({ state, executionInfo }: Task): boolean {
  const failed = state === 'completed' && executionInfo?.result?.toLowerCase() === 'failure';
  return failed && executionInfo?.failureInfo?.code !== 'TaskEnded';
}

function timeOf(text: string | null | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
}

function taskOf(settings: Settings, azure: AzureSettings, worker: NewWorker, id: string): object {
  const { gpus, memoryMegabytes } = azure.size;
  const workDirectory = join(settings.worker.workDirectoryPrefix, 'codalab-worker-scratch');
  const more = [...azure.shared.flags, '--max-memory', `${memoryMegabytes}m`];
  const [executable = '', ...flags] = workerWords(settings, { workerId: worker.id, workDirectory, more });
  const paths = ['/var/run/docker.sock', workDirectory, azure.shared.mount].filter(
    (path) => path !== undefined,
  );
  const options = [
    ...paths.flatMap((path) => ['-v', `${path}:${path}`]),
    ...(gpus === 0 ? [] : ['--gpus', 'all']),
    '--user',
    azure.user,
  ];
  return {
    id,
    commandLine: `sh -c ${joinShellWords([`exec ${executable} ${joinShellWords(flags)}`])}`,
    containerSettings: { imageName: azure.image, containerRunOptions: joinShellWords(['--rm', ...options]) },
    environmentSettings: [
      { name: 'CODALAB_USERNAME', value: worker.username },
      { name: 'CODALAB_PASSWORD', value: worker.password },
    ],
    // What has ended is shown for an hour; a worker that failed is not started by itself again.
    constraints: { maxTaskRetryCount: 0, retentionTime: 'PT1H' },
    userIdentity: { autoUser: { scope: 'pool', elevationLevel: 'admin' } },
    outputFiles: [
      {
        filePattern: '../stderr.txt',
        destination: { container: { path: `${id}/stderr.txt`, containerUrl: azure.logContainer } },
        uploadOptions: { uploadCondition: 'taskcompletion' },
      },
    ],
  };
}
