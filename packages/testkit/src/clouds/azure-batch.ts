/** Azure Batch for tests, by its documented API: its tasks are processes of this machine. */
import { createHmac, randomBytes } from 'node:crypto';
import type { StartedProcess } from '../processes.ts';
import type { Answer, Question } from './json-server.ts';
import { ScriptedQueue } from './scripted-queue.ts';

interface Body {
  readonly id: string;
  readonly commandLine: string;
  readonly environmentSettings?: readonly { name: string; value: string }[];
}

export interface ScriptedTask {
  readonly body: Body;
  state: string;
  readonly creationTime: string;
  executionInfo?: Record<string, unknown>;
  process?: StartedProcess;
}

export class ScriptedAzureBatch extends ScriptedQueue<ScriptedTask> {
  readonly tasks: ScriptedTask[] = [];
  protected override readonly queued = this.tasks;
  readonly account = 'testaccount';
  readonly key = randomBytes(32).toString('base64');
  readonly job = 'workers';

  static start(): Promise<ScriptedAzureBatch> {
    return new ScriptedAzureBatch().serve();
  }

  protected override answer(question: Question): Answer {
    const { method, url, text } = question;
    if (!this.#isSigned(question))
      return refused(403, 'AuthenticationFailed', 'Server failed to authenticate the request.');
    if (url.searchParams.get('api-version') === null)
      return refused(400, 'MissingRequiredQueryParameter', 'api-version');
    const all = `/jobs/${this.job}/tasks`;
    if (url.pathname === all && method === 'GET') return this.#list(url);
    if (url.pathname === all && method === 'POST') return this.#add(JSON.parse(text) as Body);
    if (url.pathname.startsWith(`${all}/`) && method === 'DELETE')
      return this.#delete(url.pathname.slice(all.length + 1));
    return refused(404, 'JobNotFound', 'The specified job does not exist.');
  }

  #isSigned({ method, url, headers, text }: Question): boolean {
    const length = text === '' ? '' : String(Buffer.byteLength(text));
    const query = [...url.searchParams].map(([name, value]) => `\n${name}:${value}`).toSorted();
    const lines = `${method}\n\n\n${length}\n\n${headers['content-type'] ?? ''}\n\n\n\n\n\n\nocp-date:${String(headers['ocp-date'])}\n/${this.account}${url.pathname}${query.join('')}`;
    const signature = createHmac('sha256', Buffer.from(this.key, 'base64')).update(lines).digest('base64');
    return headers.authorization === `SharedKey ${this.account}:${signature}`;
  }

  /** Two a page, so that pages are read. */
  #list(url: URL): Answer {
    const from = Number(url.searchParams.get('skip') ?? 0);
    const value = this.tasks.slice(from, from + 2).map(({ body, state, creationTime, executionInfo }) => ({
      id: body.id,
      state,
      creationTime,
      executionInfo,
    }));
    const next = new URL(url);
    next.searchParams.set('skip', String(from + 2));
    const more = this.tasks.length > from + 2 ? { 'odata.nextLink': next.toString() } : {};
    return { status: 200, body: { value, ...more } };
  }

  #add(body: Body): Answer {
    if (this.tasks.some((task) => task.body.id === body.id)) {
      return refused(409, 'TaskExists', 'The specified task already exists.');
    }
    const task: ScriptedTask = { body, state: 'active', creationTime: new Date().toISOString() };
    this.tasks.push(task);
    this.schedule(task);
    return { status: 201 };
  }

  #delete(id: string): Answer {
    const at = this.tasks.findIndex(({ body }) => body.id === id);
    if (at < 0) return refused(404, 'TaskNotFound', 'The specified task does not exist.');
    const [task] = this.tasks.splice(at, 1);
    task?.process?.kill('SIGKILL');
    return { status: 200 };
  }

  protected override schedule(task: ScriptedTask): void {
    if (!this.open || task.state !== 'active') return;
    const startTime = new Date().toISOString();
    Object.assign(task, { state: 'running', executionInfo: { startTime } });
    const { commandLine, environmentSettings = [] } = task.body;
    void this.execute(task, ['sh', '-c', commandLine], environmentSettings).then((exitCode) => {
      const failureInfo = {
        code: 'FailureExitCode',
        message: 'The task exited with an exit code representing a failure',
      };
      const result = exitCode === 0 ? { result: 'success' } : { result: 'failure', failureInfo };
      const executionInfo = { startTime, endTime: new Date().toISOString(), exitCode, ...result };
      Object.assign(task, { state: 'completed', executionInfo });
    });
  }
}

function refused(status: number, code: string, value: string): Answer {
  return { status, body: { code, message: { lang: 'en-US', value } } };
}
