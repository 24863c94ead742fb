/** Reaches into a sandboxed run that is under way: its ports, and commands beside its own. */
import type { GroupHost } from '../cgroups/host.ts';
import { joiningFilesOf } from '../cgroups/run-group.ts';
import {
  RuntimeError,
  type ExecRequest,
  type ExecSession,
  type ReachablePort,
  type RunHandle,
} from '../port.ts';
import { execInSandbox, hostEntry, type Entry } from './exec.ts';
import { listenerInside } from './listeners.ts';
import { isAlive } from './liveness.ts';
import { firstProcess } from './processes.ts';
import { readRecord, recordName, type RunPaths } from './record.ts';
import type { SandboxTool } from './tools.ts';
import { isRoot } from './user.ts';

export const whyNoEntry = 'sandboxes of bubblewrap without root cannot be entered (no `cl exec`)';

/** bubblewrap without root hides a run in a user namespace inside another one, which nobody can join. */
export function canEnter(tool: SandboxTool): boolean {
  return isRoot() || tool.name === 'unshare';
}

/**
 * A sandbox with network access is on the host's own network, so that what listens on a port must be shown to be the run's.
 * One without has no address.
 */
export async function reachRun(paths: RunPaths, port: number): Promise<ReachablePort | undefined> {
  const record = readRecord(paths);
  if (record?.network !== true || !isAlive(paths.alive)) {
    return undefined;
  }
  const first = await firstProcess(paths);
  return first === undefined ? undefined : await listenerInside(first, port);
}

/** @throws RuntimeError the run has ended, or was started by a version that did not say as whom */
export async function execInRun(
  handle: RunHandle,
  paths: RunPaths,
  groups: GroupHost | undefined,
  request: ExecRequest,
  entry: Entry = hostEntry(),
): Promise<ExecSession> {
  const record = readRecord(paths);
  const first = isAlive(paths.alive) ? await firstProcess(paths) : undefined;
  if (record === undefined || first === undefined) {
    throw new RuntimeError('The run has ended', { userError: true });
  }
  if (record.command === undefined) {
    throw new RuntimeError('The run was started by an earlier version of the worker, and cannot be entered', {
      userError: false,
    });
  }
  const name = recordName(handle.uuid, handle.epoch);
  return await execInSandbox(
    {
      first,
      groups: groups ? joiningFilesOf(groups, name) : [],
      ownNetwork: !record.network,
      directory: `/${handle.uuid}`,
      ...record.command,
      ...entry,
    },
    request,
  );
}
