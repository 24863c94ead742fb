/** Which runtime the owner wants, in the new words and in the old ones (execution.md §16.1, §26). */
import { certificateOf, runtimeChoices, type ClusterAccess } from '@sheaf/runtimes';
import { readFileSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import type { CommandLine } from './command-line.ts';
import type { FlagName } from './flags.ts';
import { StartProblem, type RuntimeChoice } from './settings.ts';

const clusterFlags = [
  'kubernetes-cluster-host',
  'kubernetes-auth-token',
  'kubernetes-cert-path',
  'kubernetes-cert',
] as const satisfies readonly FlagName[];

/** @param fromEnvironment what SHEAF_RUNTIME says, where no flag names one. @throws StartProblem */
export function runtimeOf(line: CommandLine, fromEnvironment: string | undefined): RuntimeChoice {
  const old = bundleRuntimeOf(line);
  const named = line.value('runtime');
  const choice = old ?? choiceOf(named ?? (fromEnvironment || 'auto'));
  const other = old === undefined || named === undefined ? choice : choiceOf(named);
  if (other !== choice && other !== 'auto') {
    throw new StartProblem(
      `--bundle-runtime ${choice} and --runtime ${other} contradict each other: leave one out.`,
    );
  }
  const stray = clusterFlags.find((name) => line.has(name));
  if (old === undefined && choice !== 'kubernetes' && stray !== undefined) {
    throw new StartProblem(`--${stray} belongs to --bundle-runtime kubernetes: leave it out.`);
  }
  return choice;
}

function bundleRuntimeOf(line: CommandLine): 'docker' | 'kubernetes' | undefined {
  const old = line.value('bundle-runtime');
  if (old === undefined || old === 'docker' || old === 'kubernetes') return old;
  throw new StartProblem(`There is no bundle runtime "${old}": --bundle-runtime takes docker or kubernetes.`);
}

/** Undefined where runs are no pods. @throws StartProblem */
export function clusterOf(line: CommandLine, choice: RuntimeChoice): ClusterAccess | undefined {
  if (choice !== 'kubernetes') return undefined;
  const host = (line.value('kubernetes-cluster-host') ?? '').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/?#@\s]+$/.test(host)) {
    throw new StartProblem(
      'Pods are made in the cluster that --kubernetes-cluster-host names, with an address such as https://host:6443.',
    );
  }
  const read = (name: FlagName) => line.value(name) ?? '';
  const path = read('kubernetes-cert-path');
  const certificate = certificateOf(path, read('kubernetes-cert'), readCertificate);
  return { host, token: read('kubernetes-auth-token'), certificate };
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new StartProblem(`The certificate of the cluster cannot be read: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

function choiceOf(text: string): RuntimeChoice {
  const choice = runtimeChoices.find((one) => one === text);
  if (choice !== undefined) return choice;
  throw new StartProblem(
    `There is no runtime "${text}": --runtime takes auto, docker, podman, runc, apptainer, sandbox or kubernetes.`,
  );
}
