/** Which of the machine's runtimes executes a run. */
import type { Runtime } from '@sheaf/runtimes';

export interface Runtimes {
  readonly primary: Runtime;
  /**
   * Executes runs that named no image when the server's default image cannot be had. Undefined where there is none, or where
   * the owner of the worker asked for one runtime by name.
   */
  readonly fallback: Runtime | undefined;
}

/** The runtime that a run was given to before; undefined where this machine has it no more. */
export function runtimeNamed({ primary, fallback }: Runtimes, name: string): Runtime | undefined {
  return [primary, fallback].find((runtime) => runtime?.name === name);
}

export function allRuntimes({ primary, fallback }: Runtimes): Runtime[] {
  return fallback === undefined ? [primary] : [primary, fallback];
}
