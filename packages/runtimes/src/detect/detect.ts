/** Chooses the runtime of a worker. */
import { RuntimeError, type Runtime } from '../port.ts';
import { strategies, type Strategy, type StrategyOptions } from './strategies.ts';

export type RuntimeChoice = 'auto' | 'docker' | 'sandbox';

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
 * Looks for a runtime: `auto` takes an engine where there is one, else the sandbox.
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
  for (const strategy of candidates.filter(({ kind }) => choice === 'auto' || kind === choice)) {
    const answer = await strategy.look();
    if ('runtime' in answer) {
      return { runtime: answer.runtime, tried };
    }
    const { reason, advice } = answer;
    tried.push({ name: strategy.name, reason, ...(advice === undefined ? {} : { advice }) });
  }
  throw new RuntimeError(failure(choice, tried), { userError: false });
}

function failure(choice: RuntimeChoice, tried: readonly Tried[]): string {
  const wanted = {
    auto: 'Nothing on this machine can execute runs',
    docker: 'No container engine can be used on this machine',
    sandbox: 'No sandbox can be made on this machine',
  }[choice];
  const usual = {
    auto: 'install Docker, Podman or bubblewrap',
    docker: 'install Docker or Podman, or start the worker with --runtime sandbox',
    sandbox: 'install bubblewrap and allow user namespaces, or start the worker with --runtime docker',
  }[choice];
  const reasons = tried.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  const advice = tried.find((one) => one.advice !== undefined)?.advice ?? usual;
  return `${wanted}: ${advice}. Tried: ${reasons}.`;
}
