/** The networks of a worker, looked at once and then taken as given, so that no start pays for it. */
import type { EngineClient } from '../engine/client.ts';
import { EngineError, EngineUnreachableError } from '../engine/errors.ts';
import { removeUnclaimed, sweepAbandoned, type NetworkHost } from './abandoned-networks.ts';
import { protectHost } from './firewall.ts';
import { claimNetworks, type Claim } from './network-claims.ts';
import { ensureNetwork, runNetworks, type RunNetwork } from './networks.ts';

export interface RunNetworks {
  /** Makes both ready, with and without a way out. @throws RuntimeError */
  prepare(): Promise<void>;
  /** The engine's word for the network of a run. */
  mode(outside: boolean): Promise<string>;
  /** Looks again at the next start: a network may have been removed. */
  forget(): void;
  /** Removes them, unless other workers or runs use them. The engine may be away: then the next worker does it. */
  release(): Promise<void>;
  /** Half a sentence: what runs can and cannot reach. */
  readonly reach: string;
}

export interface RunNetworksOptions {
  readonly engine: EngineClient;
  readonly prefix: string;
  /** Why firewall rules cannot be set on the engine's host; undefined: it can be tried. */
  readonly noFirewall: string | undefined;
}

/** Docker: bridges of our own, on which runs cannot talk to each other. */
export class DockerNetworks implements RunNetworks {
  readonly #options: RunNetworksOptions;
  readonly #networks: ReturnType<typeof runNetworks>;
  readonly #ready = new Map<string, Promise<void>>();
  #unprotected: string | undefined;
  #claim: Claim | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(options: RunNetworksOptions) {
    this.#options = options;
    this.#networks = runNetworks(options.prefix);
  }

  get reach(): string {
    return this.#unprotected === undefined
      ? 'runs cannot reach this host, cloud metadata services or each other'
      : `runs cannot reach each other, but those with network access can reach this host and cloud metadata services (${this.#unprotected})`;
  }

  async prepare(): Promise<void> {
    this.#claim = await claimNetworks(this.#networks.key);
    await this.mode(true);
    await this.mode(false);
    if (this.#claim !== undefined) {
      this.#sweeping = this.#tidy((host) => sweepAbandoned(host, Date.now()));
    }
  }

  async release(): Promise<void> {
    const claim = this.#claim;
    if (claim === undefined) {
      // Who else uses them cannot be known here.
      return;
    }
    this.#claim = undefined;
    await atMost(patience, async () => {
      await this.#sweeping;
      await claim.release();
      await this.#tidy((host) => removeUnclaimed(host, this.#options.prefix));
    });
  }

  async mode(outside: boolean): Promise<string> {
    const network = outside ? this.#networks.outside : this.#networks.inside;
    let ready = this.#ready.get(network.name);
    if (!ready) {
      ready = this.#prepare(network);
      this.#ready.set(network.name, ready);
      ready.catch(() => this.#ready.delete(network.name));
    }
    await ready;
    return network.name;
  }

  forget(): void {
    this.#ready.clear();
  }

  /** What cannot be removed now is for the next worker: no run depends on it. */
  async #tidy(work: (host: NetworkHost) => Promise<void>): Promise<void> {
    const firewall = this.#unprotected === undefined;
    try {
      await work({ engine: this.#options.engine, firewall });
    } catch (error) {
      if (!(error instanceof EngineError || error instanceof EngineUnreachableError)) {
        throw error;
      }
    }
  }

  async #prepare(network: RunNetwork): Promise<void> {
    await ensureNetwork(this.#options.engine, network);
    this.#unprotected = this.#options.noFirewall ?? (await protectHost(network));
  }
}

/** Milliseconds for an engine that does not answer, while somebody waits for the worker to end. */
const patience = 10_000;

async function atMost(milliseconds: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Podman: its bridges know nothing of keeping containers apart. A run without network access has none at all; one with it is
 * on the engine's default, which for an ordinary user's Podman is a network of each container's own.
 */
export class PodmanNetworks implements RunNetworks {
  readonly reach: string;

  constructor(rootless: boolean) {
    this.reach = rootless
      ? 'runs cannot reach each other, but the worker cannot reach them either'
      : 'runs with network access can reach each other, this host and cloud metadata services, and the worker cannot reach those without';
  }

  async prepare(): Promise<void> {
    // There is nothing to make.
  }

  async mode(outside: boolean): Promise<string> {
    return outside ? 'default' : 'none';
  }

  forget(): void {
    // Nothing was made.
  }

  async release(): Promise<void> {
    // Nothing was made.
  }
}
