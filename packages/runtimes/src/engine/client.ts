/** Typed calls of the Docker Engine API: the few we need, each one request. */
import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { buffer, json, text } from 'node:stream/consumers';
import type { z } from 'zod';
import type { EngineAddress } from './address.ts';
import { EngineError } from './errors.ts';
import { joinFrames } from './frames.ts';
import { jsonLines } from './json-lines.ts';
import * as schema from './schema.ts';
import { createEngineTransport, type EngineCall, type EngineTransport } from './transport.ts';
import { chooseVersion } from './version.ts';

type Query = NonNullable<EngineCall['query']>;

export interface ExecBody {
  readonly Cmd: readonly string[];
  readonly Env: readonly string[];
  readonly Tty: boolean;
}

export class EngineClient {
  readonly address: EngineAddress;
  readonly version: schema.Version;
  readonly #transport: EngineTransport;
  readonly #prefix: string;

  private constructor(address: EngineAddress, transport: EngineTransport, version: schema.Version) {
    this.address = address;
    this.version = version;
    this.#transport = transport;
    this.#prefix = `/v${chooseVersion(version.ApiVersion, version.MinAPIVersion)}`;
  }

  /**
   * Asks the engine who it is, and agrees on a version of the API.
   * @throws EngineUnreachableError nobody answers
   * @throws EngineError it is too old, or not an engine
   */
  static async connect(address: EngineAddress, signal: AbortSignal): Promise<EngineClient> {
    const transport = createEngineTransport(address);
    try {
      const answer = await json(await transport.send({ method: 'GET', path: '/version', signal }));
      const version = schema.Version.safeParse(answer);
      if (!version.success) {
        throw new EngineError(0, 'what answers there is not a container engine', { cause: version.error });
      }
      return new EngineClient(address, transport, version.data);
    } catch (error) {
      transport.close();
      throw error;
    }
  }

  close(): void {
    this.#transport.close();
  }

  async info(): Promise<schema.Info> {
    return schema.Info.parse(await json(await this.#send('GET', '/info')));
  }

  async createContainer(name: string, body: unknown): Promise<string> {
    const response = await this.#send('POST', '/containers/create', { query: { name }, body });
    return schema.Created.parse(await json(response)).Id;
  }

  async startContainer(id: string): Promise<void> {
    await drain(await this.#send('POST', `/containers/${id}/start`));
  }

  /** Resolves when the container is not running (any more). */
  async waitContainer(id: string, signal: AbortSignal): Promise<number> {
    const query = { condition: 'not-running' };
    const response = await this.#send('POST', `/containers/${id}/wait`, { query, signal });
    return schema.Waited.parse(await json(response)).StatusCode;
  }

  async inspectContainer(id: string): Promise<schema.Container> {
    return schema.Container.parse(await json(await this.#send('GET', `/containers/${id}/json`)));
  }

  /** @throws EngineError with status 404 where the container's file system has no such path */
  async statPath(id: string, path: string): Promise<void> {
    await drain(await this.#send('HEAD', `/containers/${id}/archive`, { query: { path } }));
  }

  async killContainer(id: string): Promise<void> {
    await drain(await this.#send('POST', `/containers/${id}/kill`, { query: { signal: 'KILL' } }));
  }

  async removeContainer(id: string): Promise<void> {
    await drain(await this.#send('DELETE', `/containers/${id}`, { query: { force: true, v: true } }));
  }

  /** The files of a container, whether it has ever run or not, as a tar archive. */
  async exportContainer(id: string): Promise<Readable> {
    return await this.#send('GET', `/containers/${id}/export`);
  }

  /** Containers in any state: with all these labels (`name=value`), or made from this image or one built on it. */
  async listContainers(
    filter: { readonly label: readonly string[] } | { readonly ancestor: readonly string[] },
  ): Promise<z.infer<typeof schema.ContainerList>> {
    const query = { all: true, filters: JSON.stringify(filter) };
    return schema.ContainerList.parse(await json(await this.#send('GET', '/containers/json', { query })));
  }

  /**
   * What happens from now on to the containers with a label (`name=value`), as it happens. Answers once the engine has agreed
   * to tell. The connection keeps no process alive.
   */
  async containerEvents(label: string, signal: AbortSignal): Promise<AsyncGenerator<schema.ContainerEvent>> {
    const event = schema.ContainerEvent.shape.Action.options;
    const query = { filters: JSON.stringify({ type: ['container'], label: [label], event }) };
    const response = await this.#send('GET', '/events', { query, signal });
    response.socket.unref();
    return containerEvents(response);
  }

  /** What happened to a container, as far as the engine remembers. */
  async pastEvents(container: string): Promise<AsyncGenerator<schema.ContainerEvent>> {
    const event = schema.ContainerEvent.shape.Action.options;
    const filters = JSON.stringify({ type: ['container'], container: [container], event });
    const until = Math.floor(Date.now() / 1000) + 1;
    const response = await this.#send('GET', '/events', { query: { filters, since: 0, until } });
    return containerEvents(response);
  }

  /** The last lines of what the container wrote to its own output. */
  async containerLog(id: string, lines: number): Promise<string> {
    const query = { stdout: true, stderr: true, tail: lines };
    const response = await this.#send('GET', `/containers/${id}/logs`, { query });
    return joinFrames(await buffer(response)).toString('utf8');
  }

  async containerStatistics(id: string): Promise<schema.Statistics> {
    const query = { stream: false, 'one-shot': true };
    return schema.Statistics.parse(await json(await this.#send('GET', `/containers/${id}/stats`, { query })));
  }

  /** Prepares a command inside a running container, as its own user; answers the id it is started by. */
  async createExec(container: string, body: ExecBody): Promise<string> {
    const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true };
    const response = await this.#send('POST', `/containers/${container}/exec`, {
      body: { ...streams, ...body },
    });
    return schema.Created.parse(await json(response)).Id;
  }

  /** Starts it. The connection carries its input one way and its output, in frames unless it has a terminal, the other. */
  startExec(id: string, terminal: boolean): Promise<Duplex> {
    return this.#transport.hijack({
      method: 'POST',
      path: `${this.#prefix}/exec/${id}/start`,
      body: { Detach: false, Tty: terminal },
    });
  }

  async resizeExec(id: string, size: { readonly rows: number; readonly columns: number }): Promise<void> {
    const query = { h: size.rows, w: size.columns };
    await drain(await this.#send('POST', `/exec/${id}/resize`, { query }));
  }

  async inspectExec(id: string): Promise<schema.Exec> {
    return schema.Exec.parse(await json(await this.#send('GET', `/exec/${id}/json`)));
  }

  async inspectImage(reference: string): Promise<schema.Image> {
    return schema.Image.parse(await json(await this.#send('GET', `/images/${reference}/json`)));
  }

  /** Images whose names match a pattern such as `127.0.0.1:5000/*`. */
  async listImages(pattern: string): Promise<schema.Image[]> {
    const query = { filters: JSON.stringify({ reference: [pattern] }) };
    return schema.ImageList.parse(await json(await this.#send('GET', '/images/json', { query })));
  }

  /** Digest that the registry has for a name now. */
  async resolveImage(reference: string, login: string | undefined, signal: AbortSignal): Promise<string> {
    const headers = registryHeaders(login);
    const response = await this.#send('GET', `/distribution/${reference}/json`, { headers, signal });
    return schema.Distribution.parse(await json(response)).Descriptor.digest;
  }

  /** Pulls; yields progress. @throws EngineError with status 0 where the stream reports the failure */
  async *pullImage(
    repository: string,
    tag: string,
    login: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<schema.StreamLine> {
    const query = { fromImage: repository, tag };
    const headers = registryHeaders(login);
    yield* streamLines(await this.#send('POST', '/images/create', { query, headers, signal }));
  }

  /** Makes an image of a root file system; yields the engine's lines. */
  async *importImage(archive: Readable, query: Query): AsyncGenerator<schema.StreamLine> {
    const headers = { 'content-type': 'application/x-tar' };
    const call = { query: { fromSrc: '-', ...query }, headers, body: archive };
    yield* streamLines(await this.#send('POST', '/images/create', call));
  }

  async *pushImage(repository: string, tag: string, login?: string): AsyncGenerator<schema.StreamLine> {
    const call = { query: { tag }, headers: registryHeaders(login) };
    yield* streamLines(await this.#send('POST', `/images/${repository}/push`, call));
  }

  async tagImage(reference: string, repository: string, tag: string): Promise<void> {
    await drain(await this.#send('POST', `/images/${reference}/tag`, { query: { repo: repository, tag } }));
  }

  async removeImage(reference: string): Promise<void> {
    await drain(await this.#send('DELETE', `/images/${reference}`, { query: { force: false } }));
  }

  async inspectNetwork(name: string): Promise<schema.Network> {
    return schema.Network.parse(await json(await this.#send('GET', `/networks/${name}`)));
  }

  /** Networks with all these labels (`name=value`). */
  async listNetworks(label: readonly string[]): Promise<schema.Network[]> {
    const query = { filters: JSON.stringify({ label }) };
    return schema.NetworkList.parse(await json(await this.#send('GET', '/networks', { query })));
  }

  async createNetwork(body: { Name: string } & Record<string, unknown>): Promise<void> {
    await drain(await this.#send('POST', '/networks/create', { body: { CheckDuplicate: true, ...body } }));
  }

  async removeNetwork(name: string): Promise<void> {
    await drain(await this.#send('DELETE', `/networks/${name}`));
  }

  #send(
    method: EngineCall['method'],
    path: string,
    rest: Omit<EngineCall, 'method' | 'path'> = {},
  ): Promise<IncomingMessage> {
    return this.#transport.send({ method, path: `${this.#prefix}${path}`, ...rest });
  }
}

async function* streamLines(response: IncomingMessage): AsyncGenerator<schema.StreamLine> {
  for await (const value of jsonLines(response)) {
    const line = schema.StreamLine.parse(value);
    if (line.error !== undefined) {
      throw new EngineError(0, line.error);
    }
    yield line;
  }
}

async function* containerEvents(response: IncomingMessage): AsyncGenerator<schema.ContainerEvent> {
  for await (const value of jsonLines(response)) {
    yield schema.ContainerEvent.parse(value);
  }
}

/** Reads an answer to its end, so that the connection can be used again. */
async function drain(response: IncomingMessage): Promise<void> {
  await text(response);
}

function registryHeaders(login: string | undefined): Record<string, string> {
  // An empty object in base64: engines refuse a push without the header.
  return { 'x-registry-auth': login ?? 'e30=' };
}
