/** AWS Batch for tests, by its documented API: its jobs are processes of this machine. */
import { randomUUID } from 'node:crypto';
import type { StartedProcess } from '../processes.ts';
import type { Answer, Question } from './json-server.ts';
import { ScriptedQueue } from './scripted-queue.ts';

interface Definition {
  readonly jobDefinitionName: string;
  readonly containerProperties: {
    readonly command: readonly string[];
    readonly resourceRequirements: readonly { readonly type: string; readonly value: string }[];
  };
}

interface Submission {
  readonly jobName: string;
  readonly jobQueue: string;
  readonly jobDefinition: string;
  readonly containerOverrides?: { readonly environment?: readonly { name: string; value: string }[] };
}

export interface ScriptedJob {
  readonly jobId: string;
  readonly jobName: string;
  readonly queue: string;
  readonly definition: Definition;
  readonly submission: Submission;
  status: string;
  readonly createdAt: number;
  startedAt?: number;
  stoppedAt?: number;
  statusReason?: string;
  container?: { exitCode?: number; reason?: string };
  process?: StartedProcess;
}

export class ScriptedAwsBatch extends ScriptedQueue<ScriptedJob> {
  readonly jobs: ScriptedJob[] = [];
  protected override readonly queued = this.jobs;
  /** Credentials it lets in. */
  readonly accessKey = 'AKIDTEST';
  readonly #definitions = new Map<string, Definition>();

  static start(): Promise<ScriptedAwsBatch> {
    return new ScriptedAwsBatch().serve();
  }

  protected override answer({ method, url, headers, text }: Question): Answer {
    const scope = new RegExp(
      `^AWS4-HMAC-SHA256 Credential=${this.accessKey}/\\d{8}/[a-z0-9-]+/batch/aws4_request,`,
    );
    if (!scope.test(headers.authorization ?? '')) {
      return { status: 403, body: { message: 'The security token included in the request is invalid.' } };
    }
    const body = JSON.parse(text) as unknown;
    switch (`${method} ${url.pathname}`) {
      case 'POST /v1/registerjobdefinition':
        return this.#register(body as Definition);
      case 'POST /v1/submitjob':
        return this.#submit(body as Submission);
      case 'POST /v1/listjobs':
        return this.#list(body as { jobQueue: string; jobStatus: string; nextToken?: string });
      case 'POST /v1/canceljob':
        return this.#cancel(body as { jobId: string; reason: string });
      default:
        return { status: 404, body: { message: `no such operation: ${url.pathname}` } };
    }
  }

  #register(definition: Definition): Answer {
    const arn = `arn:aws:batch:us-east-1:1:job-definition/${definition.jobDefinitionName}:${this.#definitions.size + 1}`;
    this.#definitions.set(arn, definition);
    return { status: 200, body: { jobDefinitionArn: arn, jobDefinitionName: definition.jobDefinitionName } };
  }

  #submit(submission: Submission): Answer {
    const definition = this.#definitions.get(submission.jobDefinition);
    if (definition === undefined) return { status: 400, body: { message: 'Job definition does not exist.' } };
    const job: ScriptedJob = {
      jobId: randomUUID(),
      jobName: submission.jobName,
      queue: submission.jobQueue,
      definition,
      submission,
      status: 'RUNNABLE',
      createdAt: Date.now(),
    };
    this.jobs.push(job);
    this.schedule(job);
    return { status: 200, body: { jobId: job.jobId, jobName: job.jobName } };
  }

  /** Two a page, so that pages are read. */
  #list({
    jobQueue,
    jobStatus,
    nextToken,
  }: {
    jobQueue: string;
    jobStatus: string;
    nextToken?: string;
  }): Answer {
    const from = Number(nextToken ?? 0);
    const found = this.jobs.filter(({ queue, status }) => queue === jobQueue && status === jobStatus);
    const page = found.slice(from, from + 2).map(({ jobId, jobName, ...job }) => {
      const { status, createdAt, startedAt, stoppedAt, statusReason, container } = job;
      return { jobId, jobName, status, createdAt, startedAt, stoppedAt, statusReason, container };
    });
    const more = found.length > from + 2 ? { nextToken: String(from + 2) } : {};
    return { status: 200, body: { jobSummaryList: page, ...more } };
  }

  #cancel({ jobId, reason }: { jobId: string; reason: string }): Answer {
    const job = this.jobs.find((one) => one.jobId === jobId);
    if (job?.status === 'RUNNABLE') {
      Object.assign(job, { status: 'FAILED', statusReason: reason, stoppedAt: Date.now() });
    }
    return { status: 200, body: {} };
  }

  protected override schedule(job: ScriptedJob): void {
    if (!this.open || job.status !== 'RUNNABLE') return;
    Object.assign(job, { status: 'RUNNING', startedAt: Date.now() });
    const { command } = job.definition.containerProperties;
    const environment = job.submission.containerOverrides?.environment ?? [];
    void this.execute(job, command, environment).then((exitCode) => {
      const status = exitCode === 0 ? 'SUCCEEDED' : 'FAILED';
      const statusReason = 'Essential container in task exited';
      Object.assign(job, { status, statusReason, stoppedAt: Date.now(), container: { exitCode } });
    });
  }
}
