/** What this machine offers, as far as its owner lets it. */
import type { MachineOffer } from '@sheaf/runtimes';
import { hostname } from 'node:os';
import type { Log } from '../log.ts';
import type { Settings } from '../settings/settings.ts';
import { offeredCpus, presentCpus, usableCpus } from './cpus.ts';
import { findGpus, offeredGpus } from './gpus.ts';
import { usableMemory } from './memory.ts';

export interface Machine {
  readonly hostname: string;
  /** Numbers of the processors. */
  readonly cpus: readonly number[];
  /** Uuids. */
  readonly gpus: readonly string[];
  /** Bytes. */
  readonly memory: number;
}

/** @throws StartProblem where the settings name what is not there. */
export async function inspectMachine(
  settings: Pick<Settings, 'cpus' | 'gpus' | 'maximumMemory'>,
  log: Log,
): Promise<Machine> {
  const [usable, present, gpus] = await Promise.all([usableCpus(), presentCpus(), findGpus(log)]);
  return {
    hostname: hostname(),
    cpus: offeredCpus(settings.cpus, { usable, present }),
    gpus: offeredGpus(settings.gpus, gpus),
    memory: Math.min(settings.maximumMemory ?? Number.POSITIVE_INFINITY, usableMemory()),
  };
}

/** What the runtime offers instead, where runs execute elsewhere. The numbers only count: there it is decided which they are. */
export function offeredBy(
  offer: MachineOffer | undefined,
  machine: Machine,
  { maximumMemory }: Pick<Settings, 'maximumMemory'>,
): Machine {
  if (offer === undefined) return machine;
  return {
    ...machine,
    cpus: Array.from({ length: offer.cpus }, (_, number) => number),
    gpus: Array.from({ length: offer.gpus }, (_, number) => `gpu-${number}`),
    memory: Math.min(maximumMemory ?? Number.POSITIVE_INFINITY, offer.memory),
  };
}
