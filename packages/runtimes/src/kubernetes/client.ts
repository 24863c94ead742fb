/** The few calls of the Kubernetes API that are needed, over HTTPS (docs/decisions/0841-own-client-of-kubernetes.md). */
import type { IncomingMessage } from 'node:http';
import * as plain from 'node:http';
import * as secure from 'node:https';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { isLocalTestCluster, type ClusterAccess } from './access.ts';
import { failureStatus, node, pod, podList, watchEvent, type Pod } from './objects.ts';

/** The cluster said no, or nothing: the message is a sentence for people. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  /** 0 where no answer came. */
  readonly status: number;
  constructor(message: string, status: number, options: { cause?: unknown } = {}) {
    super(message, options);
    this.status = status;
  }
}

export interface DeleteOptions {
  /** Between the request to end and the end; the cluster's own unless given. */
  readonly graceSeconds?: number;
  /** Only where the pod still has this version. */
  readonly unchangedSince?: string | undefined;
}

export interface Patience {
  /** Milliseconds without a byte after which a request is given up. */
  readonly answer: number;
  /** Seconds after which the API ends a watch; one that has been silent for longer is on a connection that is dead. */
  readonly watch: number;
}

const usualPatience: Patience = { answer: 30_000, watch: 240 };

export class ClusterClient {
  readonly #access: ClusterAccess;
  readonly #agent: plain.Agent;
  readonly #pods: string;
  readonly #patience: Patience;

  constructor(access: ClusterAccess, patience = usualPatience, namespace = 'default') {
    this.#access = access;
    this.#patience = patience;
    const options = { keepAlive: true, timeout: patience.answer };
    this.#agent = access.host.startsWith('http:')
      ? new plain.Agent(options)
      : new secure.Agent({
          ...options,
          rejectUnauthorized: !isLocalTestCluster(access.host),
          ...(access.certificate === undefined ? {} : { ca: access.certificate }),
        });
    this.#pods = `/api/v1/namespaces/${namespace}/pods`;
  }

  /** @throws ClusterError, with status 409 where one of this name exists */
  async createPod(manifest: object): Promise<Pod> {
    return this.#read(pod, await this.#json('POST', this.#pods, manifest));
  }

  /** Undefined: there is none. */
  async pod(name: string): Promise<Pod | undefined> {
    return unlessMissing(async () => this.#read(pod, await this.#json('GET', `${this.#pods}/${name}`)));
  }

  /** @param labels as a selector, `app=cl-worker,pool=a` */
  async podsWith(labels: string): Promise<Pod[]> {
    const found: Pod[] = [];
    let next = '';
    do {
      const query = `?labelSelector=${encodeURIComponent(labels)}&limit=500${next}`;
      const page = this.#read(podList, await this.#json('GET', `${this.#pods}${query}`));
      found.push(...page.items);
      const token = page.metadata?.continue ?? '';
      next = token === '' ? '' : `&continue=${encodeURIComponent(token)}`;
    } while (next !== '');
    return found;
  }

  /** One that is gone is no error, nor one that has changed meanwhile, where that matters. */
  async deletePod(name: string, options: DeleteOptions = {}): Promise<void> {
    const { graceSeconds, unchangedSince } = options;
    const body = {
      ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
      ...(unchangedSince === undefined ? {} : { preconditions: { resourceVersion: unchangedSince } }),
    };
    try {
      await unlessMissing(() => this.#json('DELETE', `${this.#pods}/${name}`, body));
    } catch (error) {
      const changed = error instanceof ClusterError && error.status === 409 && unchangedSince !== undefined;
      if (!changed) throw error;
    }
  }

  /**
   * What becomes of a pod, from how it is now; undefined: it is gone. Ends when the API ends the watch, which it does now and then.
   * @throws ClusterError, or the signal's reason
   */
  async *watchPod(name: string, signal: AbortSignal): AsyncGenerator<Pod | undefined> {
    const now = await this.pod(name);
    yield now;
    if (now === undefined) return;
    const since = now.metadata.resourceVersion ?? '';
    const query = new URLSearchParams({
      watch: 'true',
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: since,
      timeoutSeconds: String(this.#patience.watch),
    });
    const answer = await this.#request('GET', `${this.#pods}?${query.toString()}`, undefined, signal);
    if (answer.statusCode !== 200) throw refusal(answer.statusCode ?? 0, await this.#textOf(answer));
    try {
      for await (const line of createInterface({ input: answer })) {
        const { type, object } = watchEvent.parse(JSON.parse(line));
        // Too long ago to be told from there: the next look begins anew.
        if (type === 'ERROR') return;
        if (type !== 'BOOKMARK') yield type === 'DELETED' ? undefined : pod.parse(object);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(this.#access.host, error);
    } finally {
      answer.destroy();
    }
    signal.throwIfAborted();
  }

  /** The last bytes of what a pod has said outside of its own files; empty where there is nothing. */
  async log(name: string, bytes: number): Promise<string> {
    const path = `${this.#pods}/${name}/log?limitBytes=${bytes}&tailLines=200`;
    const answer = await this.#request('GET', path);
    const text = await this.#textOf(answer);
    return answer.statusCode === 200 ? text : '';
  }

  /** What a node offers to pods, as quantities. */
  async allocatable(name: string): Promise<Readonly<Record<string, string>>> {
    const answer = await this.#json('GET', `/api/v1/nodes/${encodeURIComponent(name)}`);
    return this.#read(node, answer).status.allocatable;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #textOf(answer: IncomingMessage): Promise<string> {
    try {
      let text = '';
      for await (const piece of answer.setEncoding('utf8')) text += piece as string;
      return text;
    } catch (error) {
      throw unreachable(this.#access.host, error);
    }
  }

  async #json(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await this.#request(method, path, body);
    const text = await this.#textOf(answer);
    const status = answer.statusCode ?? 0;
    if (status < 200 || status > 299) throw refusal(status, text);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#strange(error);
    }
  }

  #read<Answer>(shape: z.ZodType<Answer>, answer: unknown): Answer {
    const read = shape.safeParse(answer);
    if (read.success) return read.data;
    throw this.#strange(read.error);
  }

  /** Something else answers there, such as a proxy whose cluster is away: no answer of the cluster. */
  #strange(cause: unknown): ClusterError {
    return new ClusterError(`${this.#access.host} does not answer as a Kubernetes cluster.`, 0, { cause });
  }

  #request(method: string, path: string, body?: object, signal?: AbortSignal): Promise<IncomingMessage> {
    const { host, token } = this.#access;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      accept: 'application/json',
      ...(isLocalTestCluster(host) || token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(text === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    const { request } = host.startsWith('http:') ? plain : secure;
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agent, ...(signal === undefined ? {} : { signal }) };
      const sent = request(`${host}${path}`, options, resolve);
      // A watch is silent for long, but the API ends it by then.
      const silence = this.#patience.answer + (signal === undefined ? 0 : this.#patience.watch * 1000);
      sent.setTimeout(silence, () => sent.destroy(new Error('no answer in time')));
      sent.on('error', (error) => {
        reject(signal?.aborted === true ? (signal.reason as Error) : unreachable(host, error));
      });
      sent.end(text);
    });
  }
}

async function unlessMissing<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ClusterError && error.status === 404) return undefined;
    throw error;
  }
}

function refusal(status: number, text: string): ClusterError {
  const said = messageOf(text) ?? `status ${status}`;
  const advice =
    status === 401
      ? ' The token is not accepted: check --auth-token.'
      : status === 403
        ? ' The account of the token may not do this: see deploy/kubernetes.'
        : '';
  return new ClusterError(`Kubernetes says: ${said.replace(/\.$/, '')}.${advice}`, status);
}

function messageOf(text: string): string | undefined {
  try {
    const answer = failureStatus.safeParse(JSON.parse(text));
    return answer.success ? (answer.data.message ?? answer.data.reason ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

function unreachable(host: string, cause: unknown): ClusterError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ClusterError(`The cluster at ${host} does not answer: ${reason}.`, 0, { cause });
}
