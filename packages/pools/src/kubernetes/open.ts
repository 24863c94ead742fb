/** From the command line to a pool of pods. */
import { ClusterClient } from '@sheaf/runtimes/kubernetes';
import { systemClock } from '../clock.ts';
import type { OpenedPool } from '../open-pool.ts';
import type { CommandLine } from '../settings/command-line.ts';
import type { Settings } from '../settings/settings.ts';
import { KubernetesPool } from './kubernetes-pool.ts';
import { readKubernetesSettings } from './settings.ts';

/** @throws StartProblem */
export function openKubernetes(
  line: CommandLine,
  settings: Settings,
  environment: NodeJS.ProcessEnv,
): OpenedPool {
  const kubernetes = readKubernetesSettings(line, environment);
  const { access, cpus, gpus, memoryMegabytes } = kubernetes;
  return {
    pool: new KubernetesPool(new ClusterClient(access), settings, kubernetes, systemClock),
    size: { cpus, gpus, memory: memoryMegabytes * 1024 ** 2 },
    idPrefix: '',
  };
}
