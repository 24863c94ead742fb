/** A cache of dependencies under test: real files, and a real server behind it. */
import { RestClient, transferPeer } from '@sheaf/client';
import { nodeTransport } from '@sheaf/client/node';
import type { Entry } from '@sheaf/trees';
import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CachedDependency } from '../cache/dependency.ts';
import { DependencyCache, type DependencyCacheOptions } from '../cache/dependency-cache.ts';
import { DependencySource } from '../cache/dependency-source.ts';
import { StoreHolder } from '../cache/store-holder.ts';
import { systemClock } from '../clock.ts';
import { ProtocolServer } from './protocol-server.ts';
import { silent } from './worker-bench.ts';

export const never = new AbortController().signal;
setMaxListeners(0, never);
export const ignore = (): void => undefined;

export class CacheBench {
  readonly server: ProtocolServer;
  readonly directory: string;
  readonly #transport = nodeTransport();
  readonly #open: { cache: DependencyCache; store: StoreHolder }[] = [];

  private constructor(server: ProtocolServer, directory: string) {
    this.server = server;
    this.directory = directory;
  }

  /** @param directory where the cache is; a temporary one by default, removed at the end either way. */
  static async open(directory = mkdtempSync(join(tmpdir(), 'sheaf-cache-'))): Promise<CacheBench> {
    return new CacheBench(await ProtocolServer.start(), directory);
  }

  async cache(
    options: Partial<DependencyCacheOptions> & { localStore?: string } = {},
  ): Promise<DependencyCache> {
    const store = new StoreHolder(join(this.directory, 'store'), { readOnly: false });
    const client = new RestClient({ address: this.server.url, transport: this.#transport });
    const source = new DependencySource({
      store,
      localStore:
        options.localStore === undefined
          ? undefined
          : new StoreHolder(options.localStore, { readOnly: true }),
      peer: (bundle) => transferPeer(client, bundle),
      log: silent,
    });
    const cache = await DependencyCache.open({
      directory: this.directory,
      limit: 1 << 30,
      verify: false,
      attempts: 3,
      source,
      store,
      clock: systemClock,
      random: () => 0,
      log: silent,
      ...options,
    });
    this.#open.push({ cache, store });
    return cache;
  }

  /** Requests for bytes. */
  get fetches(): number {
    return this.server.requests.filter((request) => /transfer\/(fetch|blobs)/.test(request)).length;
  }

  async close(): Promise<void> {
    for (const { cache, store } of this.#open) {
      await cache.settle();
      await store.close();
    }
    this.#transport.close();
    await this.server.goAway();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function get(
  cache: DependencyCache,
  run: string,
  bundle: string,
  entry?: Entry,
): Promise<CachedDependency> {
  return cache.acquire(run, { parentUuid: bundle, parentPath: '', entry }, never, ignore);
}
