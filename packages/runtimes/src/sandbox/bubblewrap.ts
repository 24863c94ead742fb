/** A sandbox made by bubblewrap. */
import { assertNever } from '@sheaf/domain';
import type { MountStep } from './plan.ts';
import type { SandboxUser } from './user.ts';

export interface SandboxCall {
  readonly steps: readonly MountStep[];
  readonly network: boolean;
  /** An empty directory on the host on which the new root may be built; none of the steps' sources is below it. */
  readonly root: string;
  /** As root: who the command runs as. Undefined: whoever we are. */
  readonly user: SandboxUser | undefined;
  /** What to run once everything is in place. */
  readonly command: readonly string[];
}

export interface BubblewrapOptions {
  readonly program: string;
  /** File descriptor for the line that names the process that is number 1 inside. */
  readonly infoDescriptor: number;
}

/** The complete command line. */
export function bubblewrapCommand(call: SandboxCall, options: BubblewrapOptions): string[] {
  return [
    options.program,
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    '--hostname',
    'run',
    ...(call.network ? [] : ['--unshare-net']),
    '--die-with-parent',
    '--info-fd',
    String(options.infoDescriptor),
    ...call.steps.flatMap(stepArguments),
    '--remount-ro',
    '/dev',
    '--remount-ro',
    '/',
    '--cap-drop',
    'ALL',
    // What is needed to become the user, and nothing longer: setpriv drops these too.
    ...(call.user ? ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((name) => ['--cap-add', name]) : []),
    '--',
    ...(call.user ? becomeUser(call.user) : []),
    ...call.command,
  ];
}

/** Changes from root to the run's user, and gives up every capability for good. */
export function becomeUser(user: SandboxUser): string[] {
  return ['/usr/bin/setpriv', ...identity(user), ...dropEverything];
}

/** Words of `setpriv` that change from root to a user. */
export function identity({ uid, gid }: SandboxUser): string[] {
  return ['--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
}

export const dropEverything: readonly string[] = [
  '--inh-caps=-all',
  '--ambient-caps=-all',
  '--bounding-set=-all',
  '--no-new-privs',
];

function stepArguments(step: MountStep): string[] {
  switch (step.kind) {
    case 'bind':
      return [step.readOnly ? '--ro-bind' : '--bind', step.source, step.target];
    case 'directory':
      return ['--perms', '0755', '--dir', step.target];
    case 'link':
      return ['--symlink', step.to, step.target];
    case 'memory':
      return [
        '--perms',
        step.mode,
        ...(step.size > 0 ? ['--size', String(step.size)] : []),
        '--tmpfs',
        step.target,
      ];
    case 'processes':
      return ['--proc', step.target];
    case 'devices':
      return ['--dev', step.target];
    default:
      return assertNever(step);
  }
}
