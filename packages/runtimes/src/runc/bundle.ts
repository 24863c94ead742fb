/** A run as an OCI runtime wants to hear it: plain data in, `config.json` of a bundle out (OCI runtime specification 1.0.2). */
import { runScript } from '../command/shell.ts';
import type { RunSpecification } from '../port.ts';
import { runEnvironment } from '../image-store/environment.ts';
import type { StoredImage } from '../image-store/image-store.ts';
import { seccompProfile } from './seccomp.ts';

export interface BundlePlan {
  readonly specification: Omit<RunSpecification, 'image'>;
  readonly image: Pick<StoredImage, 'environment'>;
  /** Path in the image. */
  readonly shell: string;
  readonly user: { readonly uid: number; readonly gid: number };
  /** Control group, from the root of the hierarchies. */
  readonly group: string;
  /** Generation of control groups. */
  readonly groupVersion: 1 | 2;
  /** As in `process.arch`. */
  readonly machine: string;
  readonly network: BundleNetwork;
  /** Host paths of files that the run has in the place of the image's, by target. */
  readonly files: Readonly<Record<string, string>>;
}

export type BundleNetwork =
  /** Of its own; with a program that connects it once it is there: a command line. */
  | { readonly kind: 'own'; readonly connect: readonly string[] | undefined }
  /** The one of the worker's host. */
  | { readonly kind: 'host' };

/** Descriptor on which the run says that everything is in place. */
export const startedDescriptor = 3;

/**
 * The first process: says that it is there, and stays beside the command, because signals that a command sends to itself would be
 * ignored if it were the first process, and because somebody has to take in the orphans. The worker that waits for the word may be
 * dead: the next one finds the command running.
 */
const firstScript = `trap '' PIPE; printf s 2>/dev/null >&${startedDescriptor}; trap - PIPE; exec ${startedDescriptor}>&-; "$0" -c "$1"; exit $?`;

/** @throws RuntimeError the command is longer than the system takes */
export function bundleConfiguration(plan: BundlePlan): BundleConfiguration {
  const { specification: run, user, shell, network } = plan;
  const noCapabilities = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user,
      args: [shell, '-c', firstScript, shell, runScript(run.command)],
      env: Object.entries(runEnvironment(plan.image.environment, run)).map(
        ([name, value]) => `${name}=${value}`,
      ),
      cwd: `/${run.uuid}`,
      capabilities: noCapabilities,
      noNewPrivileges: true,
    },
    root: { path: 'root', readonly: false },
    hostname: 'run',
    mounts: mountsOf(plan),
    ...(network.kind === 'own' && network.connect !== undefined
      ? { hooks: { createRuntime: [{ path: network.connect[0], args: network.connect }] } }
      : {}),
    linux: {
      cgroupsPath: plan.group,
      namespaces: namespacesOf(plan),
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      seccomp: seccompProfile(plan.machine),
      maskedPaths,
      readonlyPaths,
      ...(network.kind === 'own' ? { sysctl: ownNetworkSettings } : {}),
    },
  };
}

export interface BundleProcess {
  readonly terminal: boolean;
  readonly user: BundlePlan['user'];
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<string, readonly string[]>>;
  readonly noNewPrivileges: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
}

export type BundleConfiguration = Readonly<Record<string, unknown>> & { readonly process: BundleProcess };

function namespacesOf({ network, groupVersion }: BundlePlan): { type: string }[] {
  const types = ['pid', 'mount', 'ipc', 'uts'];
  if (network.kind === 'own') types.push('network');
  // With version 1 a program finds its group's files where the whole hierarchy would be, as engines have it.
  if (groupVersion === 2) types.push('cgroup');
  return types.map((type) => ({ type }));
}

/** What engines set, so that the same programs work: ports below 1024 and pings need no privileges in a network of one's own. */
const ownNetworkSettings = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

const defaultSharedMemory = 64 << 20;

function mountsOf({ specification: run, files }: BundlePlan): Record<string, unknown>[] {
  const tight = ['nosuid', 'noexec', 'nodev'];
  const shared = run.sharedMemory > 0 ? run.sharedMemory : defaultSharedMemory;
  return [
    mount('proc', '/proc', 'proc', tight),
    mount('tmpfs', '/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('devpts', '/dev/pts', 'devpts', [
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      'gid=5',
    ]),
    mount('tmpfs', '/dev/shm', 'shm', [...tight, 'mode=1777', `size=${shared}`]),
    mount('mqueue', '/dev/mqueue', 'mqueue', tight),
    mount('sysfs', '/sys', 'sysfs', [...tight, 'ro']),
    mount('cgroup', '/sys/fs/cgroup', 'cgroup', [...tight, 'relatime', 'ro']),
    ...Object.entries(files).map(([target, source]) => bind(source, target, 'ro')),
    bind(run.directory, `/${run.uuid}`, 'rw'),
    ...run.mounts.map(({ source, target }) => bind(source, target, 'ro')),
  ];
}

function mount(type: string, destination: string, source: string, options: readonly string[]) {
  return { type, destination, source, options };
}

/** What cannot be changed is there without what is mounted inside of it: only the topmost mount becomes read-only. */
function bind(source: string, destination: string, access: 'ro' | 'rw') {
  const reach = access === 'ro' ? 'bind' : 'rbind';
  return mount('bind', destination, source, [reach, 'rprivate', 'nosuid', 'nodev', access]);
}

/** What of the kernel no run may see or change, as engines have it. */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
