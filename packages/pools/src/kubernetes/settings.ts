/** What is decided about workers that are pods (execution.md §27.4). */
import { certificateOf, type ClusterAccess } from '@sheaf/runtimes/kubernetes';
import { readFileSync } from 'node:fs';
import type { CommandLine } from '../settings/command-line.ts';
import { StartProblem } from '../settings/start-problem.ts';
import { sizeOf } from '../settings/size.ts';
import { neededTextOf, textOf } from '../settings/values.ts';
import { workerImageOf } from '../settings/worker-image.ts';

export interface KubernetesSettings {
  readonly access: ClusterAccess;
  readonly runtime: 'docker' | 'kubernetes';
  readonly nfsVolume: string | null;
  readonly cpus: number;
  readonly gpus: number;
  readonly memoryMegabytes: number;
  readonly image: string;
}

/** @throws StartProblem */
export function readKubernetesSettings(
  line: CommandLine,
  environment: NodeJS.ProcessEnv,
): KubernetesSettings {
  const host = neededTextOf(line, 'cluster-host').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/?#@\s]+$/.test(host)) {
    throw new StartProblem(`--cluster-host ${host}: write an address such as https://host:6443.`);
  }
  const runtime = line.value('bundle-runtime');
  if (runtime !== 'docker' && runtime !== 'kubernetes') {
    throw new StartProblem(`--bundle-runtime ${runtime ?? ''}: write docker or kubernetes.`);
  }
  return {
    access: {
      host,
      token: neededTextOf(line, 'auth-token'),
      certificate: certificateOf(line.value('cert-path') ?? '', line.value('cert') ?? '', readCertificate),
    },
    runtime,
    nfsVolume: textOf(line, 'nfs-volume-name'),
    ...sizeOf(line),
    image: workerImageOf(line, environment),
  };
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartProblem(`The certificate of the cluster cannot be read: ${reason}.`, { cause: error });
  }
}
