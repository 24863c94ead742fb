/**
 * Takes away the networks and firewall rules of workers that are gone: at the end of a worker its own, at the start of one those
 * that a killed one has left. What a live worker claims, or a container is connected to, is never touched; and should a worker that
 * cannot be seen from here lose a network it was not using, it makes a new one at its next run.
 */
import type { EngineClient } from '../engine/client.ts';
import { EngineError, isNotFound } from '../engine/errors.ts';
import type { Network } from '../engine/schema.ts';
import { protectHost, removeStrayRules, unprotectHost } from './firewall.ts';
import { claimedNetworks, claimScope } from './network-claims.ts';
import { networkLabels, prefixOf, runNetworks, type RunNetwork } from './networks.ts';

export interface NetworkHost {
  readonly engine: EngineClient;
  /** Whether the engine's firewall is the one of this very host. */
  readonly firewall: boolean;
}

/** Networks nobody claims here may belong to a worker in a container: those are left alone for so long (execution.md §16.4). */
const patience = 3_600_000;

/** Removes the networks of a prefix, unless somebody else claims them or containers are connected. */
export async function removeUnclaimed(host: NetworkHost, prefix: string): Promise<void> {
  const { key, outside, inside } = runNetworks(prefix);
  for (const network of [outside, inside]) {
    if ((await claimedNetworks()).has(key)) {
      return;
    }
    await removeUnused(host, network);
  }
}

/** Removes what is left of other prefixes. @param now milliseconds since the epoch */
export async function sweepAbandoned(host: NetworkHost, now: number): Promise<void> {
  const scope = await claimScope();
  const networks = await host.engine.listNetworks([`${networkLabels.mark}=true`]);
  for (const network of networks) {
    const prefix = prefixOf(network.Name);
    if (prefix !== undefined && isOverdue(network, scope, now)) {
      await removeUnclaimed(host, prefix);
    }
  }
  if (host.firewall) {
    await removeStrayRules(await claimedNetworks());
  }
}

function isOverdue(network: Network, scope: string | undefined, now: number): boolean {
  const visible = scope !== undefined && network.Labels?.[networkLabels.scope] === scope;
  return visible || now - Date.parse(network.Created ?? '') > patience;
}

async function removeUnused({ engine, firewall }: NetworkHost, network: RunNetwork): Promise<void> {
  try {
    await engine.removeNetwork(network.name);
  } catch (error) {
    if (!(error instanceof EngineError)) {
      throw error;
    }
    // Containers are connected: runs that the next worker goes on with, or somebody else's.
    if (!isNotFound(error)) {
      return;
    }
  }
  if (!firewall) {
    return;
  }
  await unprotectHost(network);
  // Made again meanwhile by a worker that is just starting, whose rules may be those that were removed.
  if (await exists(engine, network)) {
    await protectHost(network);
  }
}

async function exists(engine: EngineClient, network: RunNetwork): Promise<boolean> {
  try {
    await engine.inspectNetwork(network.name);
    return true;
  } catch (error) {
    if (isNotFound(error)) {
      return false;
    }
    throw error;
  }
}
