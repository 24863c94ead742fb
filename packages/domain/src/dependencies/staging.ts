import type { BundleState } from '../bundle/states.ts';

/** A parent as the staging rule sees it; state null when there is no such bundle. */
export interface StagingParent {
  uuid: string;
  name: string | null;
  state: BundleState | null;
}

export type StagingDecision = { kind: 'stage' } | { kind: 'wait' } | { kind: 'fail'; message: string };

/**
 * What a `created` bundle does next (execution.md §11.1). Whether its owner may read the parents is checked by whoever knows
 * permissions, between missing parents and failed ones.
 *
 * @param permissionProblem the refusal when the owner may not read a parent.
 * @param inputProblem what is missing in parents that are all final: nothing will ever be there.
 */
export function stagingDecision(
  parents: readonly StagingParent[],
  options: {
    allowFailed: boolean;
    permissionProblem?: string | undefined;
    inputProblem?: string | undefined;
  },
): StagingDecision {
  const missing = parents.filter(({ state }) => state === null);
  if (missing.length > 0) {
    return { kind: 'fail', message: `Missing parent bundles: ${unique(missing.map(({ uuid }) => uuid))}` };
  }
  if (options.permissionProblem !== undefined) return { kind: 'fail', message: options.permissionProblem };
  const failed = parents.filter(({ state }) => state === 'failed');
  const killed = parents.filter(({ state }) => state === 'killed');
  if (!options.allowFailed && failed.length + killed.length > 0) {
    return { kind: 'fail', message: failedParentsMessage(failed, killed) };
  }
  const settled = parents.filter(({ state }) => state === 'ready').length + failed.length + killed.length;
  if (settled < parents.length) return { kind: 'wait' };
  return options.inputProblem === undefined
    ? { kind: 'stage' }
    : { kind: 'fail', message: options.inputProblem };
}

function failedParentsMessage(failed: readonly StagingParent[], killed: readonly StagingParent[]): string {
  const parts = [
    failed.length > 0 ? `Parent bundles failed: ${list(failed)}` : '',
    killed.length > 0 ? `Parent bundles were killed: ${list(killed)}` : '',
    '(Please use the --allow-failed-dependencies flag to depend on results of failed or killed bundles)',
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function list(parents: readonly StagingParent[]): string {
  return unique(parents.map(({ name, uuid }) => (name === null ? uuid : `${name}(${uuid})`)));
}

function unique(texts: readonly string[]): string {
  return [...new Set(texts)].join(', ');
}
