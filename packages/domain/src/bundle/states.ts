/** The states a bundle can be in (execution.md §10.1). */
export const bundleStates = [
  'uploading',
  'created',
  'staged',
  'making',
  'starting',
  'preparing',
  'running',
  'finalizing',
  'ready',
  'failed',
  'killed',
  'worker_offline',
] as const;

export type BundleState = (typeof bundleStates)[number];

export const finalStates = ['ready', 'failed', 'killed'] as const satisfies readonly BundleState[];
export type FinalState = (typeof finalStates)[number];

/** States in which something is being done for the bundle, so that deleting it is refused. */
export const activeStates = [
  'making',
  'starting',
  'preparing',
  'running',
  'finalizing',
] as const satisfies readonly BundleState[];

export function isFinal(state: BundleState): state is FinalState {
  return (finalStates as readonly BundleState[]).includes(state);
}

export function isActive(state: BundleState): boolean {
  return (activeStates as readonly BundleState[]).includes(state);
}

export const bundleTypes = ['dataset', 'program', 'make', 'run'] as const;
export type BundleType = (typeof bundleTypes)[number];
