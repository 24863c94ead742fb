/**
 * A sandbox made with util-linux (unshare, mount, pivot_root, setpriv) for machines without bubblewrap. The steps become a
 * shell script that runs as the first process of the new namespaces, and stays it: it waits for the command and hands on its
 * status. Signals that the command sends to itself would be ignored if the command were that first process.
 */
import { dirname } from 'node:path';
import { assertNever } from '@sheaf/domain';
import { becomeUser, dropEverything, type SandboxCall } from './bubblewrap.ts';
import { isBelow } from './layout.ts';
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
    // When the supervisor dies, so does unshare; when unshare dies, so does everything in the sandbox.
    '/usr/bin/setpriv',
    '--pdeathsig',
    'KILL',
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

/**
 * Builds the new root on a directory of the run's own, moves into it, and lets go of the old one. All mounts are one call of
 * `mount` with a table, and all directories one of `mkdir`: a process for each would take longer than everything else.
 */
export function setUpScript(call: SandboxCall, infoDescriptor: number): string {
  return [
    'set -e',
    // The old /proc still shows the outer numbers.
    'read -r pid rest </proc/self/stat',
    `printf '{"child-pid": %s}' "$pid" >&${infoDescriptor}`,
    `root=${quote(call.root)}`,
    'mount -t tmpfs -o mode=0755,nosuid,nodev sandbox "$root"',
    'cd "$root"',
    ...layOut(call.steps, call.root, ['.old']),
    'hostname run',
    'pivot_root . .old',
    'umount -l /.old',
    'rm -d /.old /.table',
    'mount -o remount,bind,ro /dev',
    'mount -o remount,bind,ro /',
    'cd /',
    'set +e',
    '"$@"',
    'exit $?',
  ].join('\n');
}

/**
 * The lines that put everything in its place.
 * @param root where that is on the host, and where the shell is
 * @param besides directories to make as well
 */
export function layOut(steps: readonly MountStep[], root: string, besides: readonly string[] = []): string[] {
  const made = steps.filter((step) => !steps.some((other) => isInside(step, other)));
  const directories = [...besides, ...made.flatMap(directoriesOf)];
  return [
    `mkdir -p -m 0755 ${directories.map(quote).join(' ')}`,
    ...made.flatMap(linkLines),
    ...made.flatMap(placeholderLines),
    ...mountAll(steps.flatMap((step) => tableLines(step, root))),
    ...steps.flatMap((step) => deviceLines(step, root)),
  ];
}

const deviceNames = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/** Whether a step is for a place below another one's: that has to be there already, in what is mounted. */
function isInside(step: MountStep, other: MountStep): boolean {
  return step !== other && other.kind !== 'directory' && isBelow(step.target, other.target);
}

/** Relative to the new root. */
function directoriesOf(step: MountStep): string[] {
  const path = step.target.slice(1);
  return step.kind === 'link' ? [] : [step.kind === 'bind' && step.isFile ? dirname(path) : path];
}

function linkLines(step: MountStep): string[] {
  return step.kind === 'link' ? [`ln -s ${quote(step.to)} ${quote(step.target.slice(1))}`] : [];
}

function placeholderLines(step: MountStep): string[] {
  return step.kind === 'bind' && step.isFile ? [`: >${quote(step.target.slice(1))}`] : [];
}

/** Lines of a table of file systems: what, where, type, options. */
function tableLines(step: MountStep, root: string): string[] {
  const target = tableWord(`${root}${step.target}`);
  switch (step.kind) {
    case 'bind': {
      const options = `rbind,nosuid,nodev${step.readOnly ? ',ro' : ''}`;
      return [`${tableWord(step.source)} ${target} none ${options}`];
    }
    case 'memory': {
      const size = step.size > 0 ? `,size=${step.size}` : '';
      return [`sandbox ${target} tmpfs mode=${step.mode},nosuid,nodev,X-mount.mkdir${size}`];
    }
    case 'processes':
      return [`proc ${target} proc nosuid,nodev,noexec`];
    case 'devices':
      return [`sandbox ${target} tmpfs mode=0755,nosuid`];
    case 'directory':
    case 'link':
      return [];
    default:
      return assertNever(step);
  }
}
/** The devices every program expects, and the links to its own descriptors. */
function deviceLines(step: MountStep, root: string): string[] {
  if (step.kind !== 'devices') {
    return [];
  }
  const directory = step.target.slice(1);
  const descriptors = [
    ['/proc/self/fd', 'fd'],
    ...['stdin', 'stdout', 'stderr'].map((name, number) => [`fd/${number}`, name]),
  ];
  return [
    `for name in ${deviceNames.join(' ')}; do : >"${directory}/$name"; done`,
    ...mountAll(
      deviceNames.map((name) => `/dev/${name} ${tableWord(`${root}${step.target}/${name}`)} none bind`),
    ),
    ...descriptors.map(([to, name]) => `ln -s ${to} ${directory}/${name}`),
  ];
}

/** The table is a file: `mount` does not take it from a pipe. */
function mountAll(lines: readonly string[]): string[] {
  return [`printf '%s\\n' ${lines.map(quote).join(' ')} >.table`, 'mount -a -T .table'];
}

/** One word of a table of file systems, whatever is in it. */
function tableWord(text: string): string {
  return text.replace(/[\\\s]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** One word for the shell, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
