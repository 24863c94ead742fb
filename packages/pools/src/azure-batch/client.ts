/** The calls of Azure Batch that are needed, signed with the key of the account (docs/decisions/0842-clients-of-clouds.md). */
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { PoolError } from '../pool.ts';

export interface AzureAccount {
  readonly name: string;
  /** Base64. */
  readonly key: string;
  /** Without a slash at the end. */
  readonly url: string;
}

const version = '2024-07-01.20.0';
const contentType = 'application/json; odata=minimalmetadata';
const patience = 30_000;

const task = z.object({
  id: z.string(),
  state: z.string(),
  creationTime: z.string().nullish(),
  executionInfo: z
    .object({
      startTime: z.string().nullish(),
      endTime: z.string().nullish(),
      exitCode: z.int().nullish(),
      result: z.string().nullish(),
      failureInfo: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
    })
    .nullish(),
});
export type Task = z.infer<typeof task>;

const page = z.object({ value: z.array(task), 'odata.nextLink': z.string().nullish() });
const refusal = z.object({
  code: z.string().nullish(),
  message: z.object({ value: z.string().nullish() }).nullish(),
});

export class AzureClient {
  readonly #account: AzureAccount;

  constructor(account: AzureAccount) {
    this.#account = account;
  }

  /** @throws PoolError */
  async addTask(job: string, body: object): Promise<void> {
    await this.#call('POST', this.#url(`/jobs/${encodeURIComponent(job)}/tasks`), body);
  }

  /** All tasks of the job that are kept. @throws PoolError */
  async tasks(job: string): Promise<Task[]> {
    const tasks: Task[] = [];
    let next: URL | undefined = this.#url(`/jobs/${encodeURIComponent(job)}/tasks`);
    while (next !== undefined) {
      const { value, 'odata.nextLink': more } = pageOf(await this.#call('GET', next), next);
      tasks.push(...value);
      next = (more ?? '') === '' ? undefined : new URL(more ?? '');
    }
    return tasks;
  }

  /** One that is gone is no error. @throws PoolError */
  async deleteTask(job: string, id: string): Promise<void> {
    const path = `/jobs/${encodeURIComponent(job)}/tasks/${encodeURIComponent(id)}`;
    await this.#call('DELETE', this.#url(path), undefined, [404]);
  }

  #url(path: string): URL {
    return new URL(`${this.#account.url}${path}?api-version=${version}`);
  }

  async #call(method: string, url: URL, body?: object, accepted: readonly number[] = []): Promise<string> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const date = new Date().toUTCString();
    const headers = {
      'ocp-date': date,
      ...(text === undefined ? {} : { 'content-type': contentType }),
      authorization: authorization(this.#account, method, url, { date, text }),
    };
    const limit = { signal: AbortSignal.timeout(patience) };
    const request = { method, headers, ...limit, ...(text === undefined ? {} : { body: text }) };
    const { status, answer } = await send(url, request);
    if ((status >= 200 && status < 300) || accepted.includes(status)) return answer;
    throw new PoolError(`Azure Batch says: ${wordsOf(answer) ?? `status ${status}`}.${advice(status)}`);
  }
}

function pageOf(answer: string, url: URL): z.infer<typeof page> {
  try {
    return page.parse(JSON.parse(answer));
  } catch (error) {
    throw new PoolError(`${url.origin} does not answer as Azure Batch.`, { cause: error });
  }
}

async function send(url: URL, request: RequestInit): Promise<{ status: number; answer: string }> {
  try {
    const response = await fetch(url, request);
    return { status: response.status, answer: await response.text() };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PoolError(`Azure Batch at ${url.origin} does not answer: ${reason}.`, { cause: error });
  }
}

/** "Shared Key", as the documentation of the service describes it. */
function authorization(
  { name, key }: AzureAccount,
  method: string,
  url: URL,
  { date, text }: { date: string; text: string | undefined },
): string {
  const length = text === undefined ? '' : String(Buffer.byteLength(text));
  const query = [...url.searchParams]
    .map(([parameter, value]) => `${parameter.toLowerCase()}:${value}`)
    .toSorted();
  const lines = [
    method,
    `\n\n${length}\n\n${text === undefined ? '' : contentType}`,
    // Date, If-Modified-Since, If-Match, If-None-Match, If-Unmodified-Since, Range: not sent.
    '\n\n\n\n\n',
    `ocp-date:${date}`,
    [`/${name}${url.pathname}`, ...query].join('\n'),
  ];
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(lines.join('\n'), 'utf8');
  return `SharedKey ${name}:${signature.digest('base64')}`;
}

function wordsOf(answer: string): string | undefined {
  try {
    const { code, message } = refusal.parse(JSON.parse(answer));
    return message?.value?.split('\n')[0]?.replace(/\.$/, '') ?? code ?? undefined;
  } catch {
    return undefined;
  }
}

function advice(status: number): string {
  return status === 401 || status === 403 ? ' Check --account-name, --account-key and --service-url.' : '';
}
