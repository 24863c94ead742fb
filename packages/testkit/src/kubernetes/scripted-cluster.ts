/**
 * A cluster of one node for tests, since none can exist here: an API server that speaks the documented protocol over HTTPS (objects,
 * Status answers, watches), and pods that are processes of this machine. It keeps to what the programs use.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { StartedProcess } from '../processes.ts';
import { selfSigned } from './certificate.ts';
import { checkSpec, startPodProcess, type PodSpec } from './pod-process.ts';

export interface ScriptedPod {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    resourceVersion: string;
    deletionTimestamp?: string;
  };
  readonly spec: PodSpec;
  status: Record<string, unknown> & { phase: string };
}

interface Held {
  readonly pod: ScriptedPod;
  process: StartedProcess | undefined;
}

const collection = '/api/v1/namespaces/default/pods';
const nodeName = 'node-1';

export class ScriptedCluster {
  readonly token = randomUUID();
  /** PEM. */
  readonly certificate: string;
  host = '';
  /** What the node offers. It has every image whose name does not begin with `missing`. */
  allocatable: Record<string, string> = { cpu: '4', memory: '8Gi', 'ephemeral-storage': '10Gi' };
  /** Whether pods are given to the node. */
  #open = true;
  readonly #pods = new Map<string, Held>();
  readonly #watches = new Set<(type: string, pod: ScriptedPod) => void>();
  readonly #server: ReturnType<typeof createServer>;
  #version = 0;

  private constructor(key: string, cert: string) {
    this.certificate = cert;
    this.#server = createServer({ key, cert }, (request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<ScriptedCluster> {
    const { key, cert } = await selfSigned();
    const cluster = new ScriptedCluster(key, cert);
    cluster.#server.listen(0, '127.0.0.1');
    await once(cluster.#server, 'listening');
    cluster.host = `https://127.0.0.1:${(cluster.#server.address() as AddressInfo).port}`;
    return cluster;
  }

  get pods(): readonly ScriptedPod[] {
    return [...this.#pods.values()].map(({ pod }) => pod);
  }

  /** Without room, pods stay pending. */
  setRoom(open: boolean): void {
    this.#open = open;
    for (const held of this.#pods.values()) this.#schedule(held);
  }

  /** Every connection breaks, and new ones are taken. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  /** The pod is gone without a trace, as after the end of its node. */
  async lose(name: string): Promise<void> {
    const held = this.#pods.get(name);
    this.#pods.delete(name);
    await held?.process?.stop('SIGKILL');
    if (held !== undefined) this.#tell('DELETED', held.pod);
  }

  async stop(): Promise<void> {
    for (const { process } of this.#pods.values()) await process?.stop('SIGKILL');
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '', this.host);
      if (request.headers.authorization !== `Bearer ${this.token}`) {
        return fail(response, 401, 'Unauthorized', 'Unauthorized');
      }
      let text = '';
      for await (const piece of request.setEncoding('utf8')) text += piece as string;
      await this.#route(request.method ?? '', url, text, response);
    } catch (error) {
      fail(response, 422, 'Invalid', error instanceof Error ? error.message : String(error));
    }
  }

  async #route(method: string, url: URL, text: string, response: ServerResponse): Promise<void> {
    if (url.pathname === `/api/v1/nodes/${nodeName}`) {
      return send(response, 200, { kind: 'Node', status: { allocatable: this.allocatable } });
    }
    if (url.pathname === collection) {
      if (method === 'POST') return this.#create(JSON.parse(text) as ScriptedPod, response);
      if (url.searchParams.get('watch') === 'true') return this.#watch(url, response);
      const wanted = selector(url.searchParams.get('labelSelector') ?? '');
      const items = this.pods.filter(({ metadata }) => wanted(metadata.labels ?? {}));
      return send(response, 200, {
        kind: 'PodList',
        metadata: { resourceVersion: `${this.#version}` },
        items,
      });
    }
    const [, name = '', part] =
      /^\/api\/v1\/namespaces\/default\/pods\/([^/]+)(\/log)?$/.exec(url.pathname) ?? [];
    const held = this.#pods.get(name);
    if (held === undefined) return fail(response, 404, 'NotFound', `pods "${name}" not found`);
    if (part !== undefined) return void response.end(held.process?.output ?? '');
    if (method === 'DELETE') return this.#delete(held, JSON.parse(text || '{}') as DeleteOptions, response);
    return send(response, 200, held.pod);
  }

  #create(given: ScriptedPod, response: ServerResponse): void {
    const { name } = given.metadata;
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) || name.length > 253) {
      return fail(response, 422, 'Invalid', `metadata.name: Invalid value: "${name}"`);
    }
    if (this.#pods.has(name)) return fail(response, 409, 'AlreadyExists', `pods "${name}" already exists`);
    checkSpec(given.spec);
    const created = new Date().toISOString();
    const pod = {
      ...given,
      metadata: { ...given.metadata, resourceVersion: '', creationTimestamp: created, uid: randomUUID() },
      status: { phase: 'Pending' },
    };
    const held: Held = { pod, process: undefined };
    this.#pods.set(name, held);
    this.#change(held, 'ADDED', {});
    send(response, 201, pod);
    this.#schedule(held);
  }

  #schedule(held: Held): void {
    if (held.process !== undefined || held.pod.status.phase !== 'Pending') return;
    if (!this.#open) {
      const message = '0/1 nodes are available: 1 Insufficient cpu.';
      const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
      return this.#change(held, 'MODIFIED', { conditions: [condition] });
    }
    if (held.pod.spec.containers[0]?.image.startsWith('missing') === true) {
      const waiting = { reason: 'ImagePullBackOff', message: 'Back-off pulling image' };
      return this.#change(held, 'MODIFIED', { containerStatuses: [{ state: { waiting } }] });
    }
    const startedAt = new Date().toISOString();
    held.process = startPodProcess(held.pod.spec, nodeName);
    const image = held.pod.spec.containers[0]?.image ?? '';
    const container = { imageID: `${image}@sha256:${'1'.repeat(64)}` };
    this.#change(held, 'MODIFIED', {
      phase: 'Running',
      podIP: '127.0.0.1',
      startTime: startedAt,
      conditions: [],
      containerStatuses: [{ ...container, state: { running: { startedAt } } }],
    });
    void held.process.ended.then(({ code, signal }) => {
      const exitCode = code ?? (signal === 'SIGKILL' ? 137 : 143);
      const reason = exitCode === 0 ? 'Completed' : 'Error';
      const terminated = { exitCode, reason, startedAt, finishedAt: new Date().toISOString() };
      this.#change(held, 'MODIFIED', {
        phase: exitCode === 0 ? 'Succeeded' : 'Failed',
        containerStatuses: [{ ...container, state: { terminated } }],
      });
    });
  }

  #delete(held: Held, options: DeleteOptions, response: ServerResponse): void {
    const { pod, process } = held;
    const version = options.preconditions?.resourceVersion;
    if (version !== undefined && version !== pod.metadata.resourceVersion) {
      return fail(response, 409, 'Conflict', 'the resourceVersion in the precondition does not match');
    }
    pod.metadata.deletionTimestamp ??= new Date().toISOString();
    this.#change(held, 'MODIFIED', {});
    send(response, 200, pod);
    const grace = options.gracePeriodSeconds ?? 30;
    const ended = process?.stop(grace === 0 ? 'SIGKILL' : 'SIGTERM', grace * 1000);
    void Promise.resolve(ended).then(() => {
      if (this.#pods.get(pod.metadata.name) !== held) return;
      this.#pods.delete(pod.metadata.name);
      this.#change(held, 'DELETED', {});
    });
  }

  #watch(url: URL, response: ServerResponse): void {
    const [, name] = /^metadata\.name=(.+)$/.exec(url.searchParams.get('fieldSelector') ?? '') ?? [];
    const since = Number(url.searchParams.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const tell = (type: string, pod: ScriptedPod) => {
      if (pod.metadata.name === name) response.write(`${JSON.stringify({ type, object: pod })}\n`);
    };
    const held = this.#pods.get(name ?? '');
    if (held === undefined) response.end();
    else if (Number(held.pod.metadata.resourceVersion) > since) tell('MODIFIED', held.pod);
    this.#watches.add(tell);
    response.once('close', () => this.#watches.delete(tell));
  }

  #change({ pod }: Held, type: string, status: Record<string, unknown>): void {
    this.#version += 1;
    pod.metadata.resourceVersion = String(this.#version);
    Object.assign(pod.status, status);
    this.#tell(type, pod);
  }

  #tell(type: string, pod: ScriptedPod): void {
    for (const watch of this.#watches) watch(type, pod);
  }
}

interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly preconditions?: { readonly resourceVersion?: string };
}

function selector(text: string): (labels: Readonly<Record<string, string>>) => boolean {
  const pairs = text.split(',').filter((part) => part !== '');
  return (labels) =>
    pairs.every((pair) => {
      const [name = '', value = ''] = pair.split('=');
      return labels[name] === value;
    });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ apiVersion: 'v1', ...body }));
}

function fail(response: ServerResponse, code: number, reason: string, message: string): void {
  send(response, code, { kind: 'Status', status: 'Failure', reason, message, code });
}
