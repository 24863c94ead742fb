/**
 * A sandbox made with util-linux (unshare, mount, pivot_root, setpriv) for machines without bubblewrap. The steps become a
 * shell script that runs as the first process of the new namespaces, and stays it: it waits for the command and hands on its
 * status. Signals that the command sends to itself would be ignored if the command were that first process.
 */
import { assertNever } from '@sheaf/domain';
import { becomeUser, dropEverything, type SandboxCall } from './bubblewrap.ts';
import type { MountStep } from './plan.ts';

export interface UnshareOptions {
  readonly program: string;
  /** File descriptor for the line that names the process that is number 1 inside. */
  readonly infoDescriptor: number;
  /** Real root needs no user namespace. */
  readonly asRoot: boolean;
}

/** The complete command line. */
export function unshareCommand(call: SandboxCall, options: UnshareOptions): string[] {
  const drop = call.user ? becomeUser(call.user) : ['/usr/bin/setpriv', ...dropEverything];
  return [
    options.program,
    ...(options.asRoot ? [] : ['--user', '--map-root-user']),
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    '--cgroup',
    ...(call.network ? [] : ['--net']),
    '--fork',
    '--kill-child',
    '--propagation',
    'private',
    '/bin/sh',
    '-c',
    setUpScript(call, options.infoDescriptor),
    'run',
    ...drop,
    ...call.command,
  ];
}

/** Builds the new root on a directory of the run's own, moves into it, and lets go of the old one. */
export function setUpScript(call: SandboxCall, infoDescriptor: number): string {
  return [
    'set -e',
    // The old /proc still shows the outer numbers.
    'read -r pid rest </proc/self/stat',
    `printf '{"child-pid": %s}' "$pid" >&${infoDescriptor}`,
    `root=${quote(call.root)}`,
    'mount -t tmpfs -o mode=0755,nosuid,nodev sandbox "$root"',
    ...call.steps.flatMap(stepLines),
    ...deviceLinks,
    'hostname run',
    'mkdir -p "$root/.old"',
    'cd "$root"',
    'pivot_root . .old',
    'umount -l /.old',
    'rmdir /.old',
    'mount -o remount,bind,ro /dev',
    'mount -o remount,bind,ro /',
    ...(call.network ? [] : ['ip link set lo up 2>/dev/null || true']),
    'cd /',
    'set +e',
    '"$@"',
    'exit $?',
  ].join('\n');
}

const deviceNames = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const deviceLinks = [
  'ln -s /proc/self/fd "$root/dev/fd"',
  'for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%%:*}" "$root/dev/${number#*:}"; done',
];

function stepLines(step: MountStep): string[] {
  const target = `"$root"${quote(step.target)}`;
  switch (step.kind) {
    case 'bind':
      return [
        step.isFile
          ? `mkdir -p "$(dirname ${target})"; [ -e ${target} ] || : >${target}`
          : `mkdir -p ${target}`,
        `mount -o bind${step.readOnly ? ',ro' : ''} ${quote(step.source)} ${target}`,
      ];
    case 'directory':
      return [`mkdir -m 0755 ${target}`];
    case 'link':
      return [`ln -s ${quote(step.to)} ${target}`];
    case 'memory':
      return [
        `mkdir -p ${target}`,
        `mount -t tmpfs -o mode=${step.mode},nosuid,nodev${step.size > 0 ? `,size=${step.size}` : ''} sandbox ${target}`,
      ];
    case 'processes':
      return [`mkdir -p ${target}`, `mount -t proc -o nosuid,nodev,noexec proc ${target}`];
    case 'devices':
      return [
        `mkdir -p ${target}`,
        `mount -t tmpfs -o mode=0755,nosuid sandbox ${target}`,
        ...deviceNames.map((name) => `: >${target}/${name}; mount --bind /dev/${name} ${target}/${name}`),
      ];
    default:
      return assertNever(step);
  }
}

/** One word for the shell, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
