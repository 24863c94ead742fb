/** The networks of a worker, looked at once and then taken as given, so that no start pays for it. */
import type { EngineClient } from '../engine/client.ts';
import { protectHost } from './firewall.ts';
import { ensureNetwork, runNetworks, type RunNetwork } from './networks.ts';

export interface PreparedNetworksOptions {
  readonly engine: EngineClient;
  readonly prefix: string;
  /** Whether the engine's host is this machine. */
  readonly local: boolean;
}

export class PreparedNetworks {
  readonly #options: PreparedNetworksOptions;
  readonly #networks: ReturnType<typeof runNetworks>;
  readonly #ready = new Map<string, Promise<RunNetwork>>();
  /** Why the host could not be shielded from runs; undefined: it is. */
  unprotected: string | undefined;

  constructor(options: PreparedNetworksOptions) {
    this.#options = options;
    this.#networks = runNetworks(options.prefix);
  }

  /** @throws RuntimeError see `ensureNetwork` */
  ready(outside: boolean): Promise<RunNetwork> {
    const network = outside ? this.#networks.outside : this.#networks.inside;
    const known = this.#ready.get(network.name);
    if (known) {
      return known;
    }
    const pending = this.#prepare(network);
    this.#ready.set(network.name, pending);
    pending.catch(() => this.#ready.delete(network.name));
    return pending;
  }

  forget(): void {
    this.#ready.clear();
  }

  async #prepare(network: RunNetwork): Promise<RunNetwork> {
    await ensureNetwork(this.#options.engine, network);
    this.unprotected = this.#options.local
      ? await protectHost(network)
      : 'the engine is on another machine, whose firewall rules are not ours to set';
    return network;
  }
}
