/** What the scripted queues of jobs have in common: jobs that are processes of this machine, and begin where there is room. */
import { startProcess, type StartedProcess } from '../processes.ts';
import { jsonServer, type Answer, type JsonServer, type Question } from './json-server.ts';

export abstract class ScriptedQueue<Job extends { process?: StartedProcess }> {
  protected abstract readonly queued: readonly Job[];
  /** Whether the compute environment has room. */
  protected open = true;
  #server: JsonServer | undefined;

  /** Begins to answer. */
  async serve(): Promise<this> {
    this.#server = await jsonServer((question) => this.answer(question));
    return this;
  }

  get url(): string {
    return this.#server?.url ?? '';
  }

  setRoom(open: boolean): void {
    this.open = open;
    for (const job of this.queued) this.schedule(job);
  }

  async stop(): Promise<void> {
    for (const { process } of this.queued) await process?.stop('SIGKILL');
    this.#server?.stop();
  }

  protected abstract answer(question: Question): Answer;
  /** Begins with a job that waits, where there is room. */
  protected abstract schedule(job: Job): void;

  /** Executes a job, and answers how its process ended. */
  protected async execute(
    job: Job,
    [program = '', ...words]: readonly string[],
    environment: readonly { readonly name: string; readonly value: string }[],
  ): Promise<number> {
    const given = Object.fromEntries(environment.map(({ name, value }) => [name, value]));
    const child = startProcess(program, words, {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...given },
    });
    job.process = child;
    return (await child.ended).code ?? 137;
  }
}
