/**
 * The two networks runs live in: one with a way out, one without. In both, containers cannot talk to each other, and the
 * worker's host can talk to them (execution §20.1, design §8).
 */
import { createHash } from 'node:crypto';
import type { EngineClient } from '../engine/client.ts';
import { isConflict, isNotFound } from '../engine/errors.ts';
import type { Network } from '../engine/schema.ts';
import { RuntimeError } from '../port.ts';
import { claimScope } from './network-claims.ts';

const talking = 'com.docker.network.bridge.enable_icc';
const bridgeName = 'com.docker.network.bridge.name';
/** `scope`: who would see the claims of whoever made it. */
export const networkLabels = { mark: 'sheaf.network', scope: 'sheaf.scope' } as const;

export interface RunNetwork {
  readonly name: string;
  /** Name of the interface on the host, at most 15 characters. */
  readonly bridge: string;
  readonly internal: boolean;
}

/** The networks of a prefix; workers of one host with the same prefix share them. */
export function runNetworks(prefix: string): {
  readonly key: string;
  readonly outside: RunNetwork;
  readonly inside: RunNetwork;
} {
  const short = createHash('sha256').update(prefix).digest('hex').slice(0, 8);
  return {
    key: short,
    outside: { name: `${prefix}_ext`, bridge: `sh-${short}-e`, internal: false },
    inside: { name: `${prefix}_int`, bridge: `sh-${short}-i`, internal: true },
  };
}

/** The prefix of a network that {@link runNetworks} has named. */
export function prefixOf(name: string): string | undefined {
  return /^(.+)_(?:ext|int)$/.exec(name)?.[1];
}

/** The key in the name of a bridge. */
export const bridgePattern = /^sh-([0-9a-f]{8})-[ei]$/;

/**
 * Makes sure that a network is there as we need it.
 * @throws RuntimeError somebody else made one of that name which lets runs talk to each other
 */
export async function ensureNetwork(engine: EngineClient, network: RunNetwork): Promise<void> {
  const existing = (await find(engine, network.name)) ?? (await create(engine, network));
  if (existing.Options?.[talking] !== 'false' || (existing.Internal ?? false) !== network.internal) {
    throw new RuntimeError(
      `The network ${network.name} exists, but was not made for runs: remove it, or choose another network prefix`,
      { userError: false },
    );
  }
}

async function find(engine: EngineClient, name: string): Promise<Network | undefined> {
  try {
    return await engine.inspectNetwork(name);
  } catch (error) {
    if (isNotFound(error)) {
      return undefined;
    }
    throw error;
  }
}

async function create(engine: EngineClient, network: RunNetwork): Promise<Network> {
  const scope = await claimScope();
  try {
    await engine.createNetwork({
      Name: network.name,
      Driver: 'bridge',
      Internal: network.internal,
      Labels: {
        [networkLabels.mark]: 'true',
        ...(scope === undefined ? {} : { [networkLabels.scope]: scope }),
      },
      Options: { [talking]: 'false', [bridgeName]: network.bridge },
    });
  } catch (error) {
    // Another worker of this host was first: its network is ours. Older engines name the bridge in a refusal instead.
    if (!isConflict(error) && !(await find(engine, network.name))) {
      throw error;
    }
  }
  return engine.inspectNetwork(network.name);
}
