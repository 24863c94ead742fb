/** Chooses the runtime of a worker. */
import { RuntimeError, type Runtime } from '../port.ts';
import { strategies, type RuntimeChoice, type Strategy, type StrategyOptions } from './strategies.ts';

export interface Detection {
  readonly runtime: Runtime;
  /** What was looked at before, and why it was not taken. */
  readonly tried: readonly Tried[];
}

export interface Tried {
  readonly name: string;
  readonly reason: string;
  readonly advice?: string;
}

/**
 * Looks for a runtime: `auto` takes an engine where there is one, else runc where it may be used, else Apptainer, else the sandbox.
 * @throws RuntimeError one sentence naming everything that was tried
 */
export async function detectRuntime(choice: RuntimeChoice, options: StrategyOptions): Promise<Detection> {
  return chooseRuntime(choice, strategies(options));
}

export async function chooseRuntime(
  choice: RuntimeChoice,
  candidates: readonly Strategy[],
): Promise<Detection> {
  const tried: Tried[] = [];
  for (const strategy of candidates.filter(({ kinds }) => choice === 'auto' || kinds.includes(choice))) {
    const answer = await strategy.look(choice);
    if ('runtime' in answer) {
      return { runtime: answer.runtime, tried };
    }
    const { reason, advice } = answer;
    tried.push({ name: strategy.name, reason, ...(advice === undefined ? {} : { advice }) });
  }
  throw new RuntimeError(failure(choice, tried), { userError: false });
}

const failures: Readonly<Record<RuntimeChoice, { readonly what: string; readonly usual: string }>> = {
  auto: {
    what: 'Nothing on this machine can execute runs',
    usual: 'install Docker, Podman, runc (as root), Apptainer or bubblewrap',
  },
  docker: {
    what: 'No container engine can be used on this machine',
    usual: 'install Docker, or start the worker with --runtime podman, runc, apptainer or sandbox',
  },
  podman: {
    what: 'Podman cannot be used on this machine',
    usual: 'install Podman and start its service, or start the worker with another --runtime',
  },
  runc: {
    what: 'runc cannot be used on this machine',
    usual: 'install runc and start the worker as root, or start it with another --runtime',
  },
  apptainer: {
    what: 'Apptainer cannot be used on this machine',
    usual:
      'install it or load its module, and allow user namespaces, or start the worker with another --runtime',
  },
  kubernetes: {
    what: 'The Kubernetes cluster cannot be used',
    usual: 'name it with --kubernetes-cluster-host, --kubernetes-auth-token and --kubernetes-cert-path',
  },
  sandbox: {
    what: 'No sandbox can be made on this machine',
    usual: 'install bubblewrap and allow user namespaces, or start the worker with --runtime docker',
  },
};

function failure(choice: RuntimeChoice, tried: readonly Tried[]): string {
  const { what, usual } = failures[choice];
  const reasons = tried.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  const advice = tried.find((one) => one.advice !== undefined)?.advice ?? usual;
  return `${what}: ${advice}. Tried: ${reasons}.`;
}
