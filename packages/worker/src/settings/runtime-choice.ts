/** Which runtime the owner wants, in the new words and in the old ones (execution.md §16.1, §26). */
import { runtimeChoices } from '@sheaf/runtimes';
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
  const old = line.value('bundle-runtime');
  refuseCluster(line, old);
  const named = line.value('runtime');
  if (old === undefined) return choiceOf(named ?? (fromEnvironment || 'auto'));
  const choice = choiceOf(named ?? 'docker');
  if (choice === 'docker' || choice === 'auto') return 'docker';
  throw new StartProblem(
    `--bundle-runtime docker and --runtime ${choice} contradict each other: leave one out.`,
  );
}

function refuseCluster(line: CommandLine, old: string | undefined): void {
  if (old === 'kubernetes') {
    throw new StartProblem(
      'This worker cannot use a Kubernetes cluster yet: start it on a machine with Docker, with --runtime docker.',
    );
  }
  if (old !== undefined && old !== 'docker') {
    throw new StartProblem(`There is no bundle runtime "${old}": --bundle-runtime takes docker.`);
  }
  const stray = clusterFlags.find((name) => line.has(name));
  if (old === undefined && stray !== undefined) {
    throw new StartProblem(`--${stray} belongs to --bundle-runtime kubernetes: leave it out.`);
  }
}

function choiceOf(text: string): RuntimeChoice {
  const choice = runtimeChoices.find((one) => one === text);
  if (choice !== undefined) return choice;
  throw new StartProblem(
    `There is no runtime "${text}": --runtime takes auto, docker, podman, runc or sandbox.`,
  );
}
