/** Finds the cluster, and what the worker's node has for runs. */
import type { MachineOffer } from '../port.ts';
import type { ClusterAccess } from './access.ts';
import { ClusterClient } from './client.ts';
import { quantity } from './quantity.ts';
import { KubernetesRuntime } from './runtime.ts';

export interface KubernetesOptions {
  readonly access: ClusterAccess;
  readonly worker: string;
  readonly workDirectory: string;
  /** CODALAB_KUBERNETES_NODE_NAME; undefined where it is not set. */
  readonly node: string | undefined;
}

/** @throws ClusterError */
export async function connectKubernetesRuntime(options: KubernetesOptions): Promise<KubernetesRuntime> {
  const client = new ClusterClient(options.access);
  try {
    const { node } = options;
    const offers = node === undefined ? undefined : offerOf(await client.allocatable(node));
    // Also tells whether the token may do what will be needed.
    await client.podsWith('sheaf.worker=none');
    return new KubernetesRuntime({ ...options, client, offers });
  } catch (error) {
    client.close();
    throw error;
  }
}

function offerOf(allocatable: Readonly<Record<string, string>>): MachineOffer {
  return {
    // A node keeps a part of its processors; a run that asks for one is content with a half.
    cpus: Math.max(1, Math.round(quantity(allocatable['cpu']))),
    gpus: Math.floor(quantity(allocatable['nvidia.com/gpu'])),
    memory: Math.floor(quantity(allocatable['memory'])),
  };
}
