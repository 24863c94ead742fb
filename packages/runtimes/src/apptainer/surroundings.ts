/**
 * What has to be there before Apptainer is called, made in a mount namespace that the run's supervisor has for itself: shared memory
 * of the size that was asked for; and for a worker that is root, everything that the run is to see in a place that the run's own user
 * can reach, and an account for that user, without whom Apptainer does nothing.
 */
import { quoteShellWord } from '@sheaf/domain';
import type { MountStep } from '../sandbox/plan.ts';
import { layOut } from '../sandbox/unshare.ts';
import type { SandboxUser } from '../sandbox/user.ts';
import { descriptors } from '../sandbox/supervisor.ts';
import { groupDescriptors } from './command.ts';

export interface Shown {
  readonly source: string;
  readonly readOnly: boolean;
  readonly isFile: boolean;
}

export interface Surroundings {
  /** Lines of shell. */
  readonly script: readonly string[];
  /** Where Apptainer finds what is on the host at a path that was to be shown. */
  path(source: string): string;
  /** Directory that is the run's shared memory; undefined: Apptainer's own, of the kernel's size. */
  readonly sharedMemory: string | undefined;
}

export interface SurroundingsRequest {
  /** Bytes; 0: the kernel's default. */
  readonly sharedMemory: number;
  /** An empty directory of the run's own on the host. */
  readonly root: string;
}

/** For a worker that is an ordinary user: what it can see, its runs can see. */
export function ownSurroundings(request: SurroundingsRequest): Surroundings {
  const { root } = request;
  return {
    script: [`cd ${quoteShellWord(root)}`, ...layOut([memory(request)], root), 'cd /'],
    path: (source) => source,
    sharedMemory: `${root}/shm`,
  };
}

/** For one whose system does not let it have a mount namespace. */
export function noSurroundings(): Surroundings {
  return { script: [], path: (source) => source, sharedMemory: undefined };
}

export interface RootSurroundingsRequest extends SurroundingsRequest {
  readonly shown: readonly Shown[];
  /** A directory that everybody can reach, and nobody here needs: it is covered. */
  readonly place: string;
  /** Files in the place of those of the host, by target. */
  readonly accounts: Readonly<Record<string, string>>;
}

/** For a worker that is root, and its runs are not: directories above may be closed to them. */
export function rootSurroundings(request: RootSurroundingsRequest): Surroundings {
  const { root, shown, place, accounts } = request;
  const numbers = new Map(shown.map(({ source }, number) => [source, number]));
  const steps = shown.map(({ source, readOnly, isFile }, number): MountStep => ({
    kind: 'bind',
    source,
    target: `/${number}`,
    readOnly,
    isFile,
  }));
  const quoted = quoteShellWord(root);
  return {
    script: [
      `mount -t tmpfs -o mode=0755,nosuid,nodev run ${quoted}`,
      `cd ${quoted}`,
      ...layOut([...steps, memory(request)], root),
      'cd /',
      ...Object.entries(accounts).map(
        ([target, source]) => `mount --bind ${quoteShellWord(source)} ${target}`,
      ),
      `mount --move ${quoted} ${place}`,
    ],
    path: (source) => `${place}/${numbers.get(source)}`,
    sharedMemory: `${place}/shm`,
  };
}

function memory({ sharedMemory }: SurroundingsRequest): MountStep {
  return { kind: 'memory', target: '/shm', size: sharedMemory, mode: '1777' };
}

/** An account for whoever has none on this machine. */
export function accountFiles({ uid, gid }: SandboxUser): { readonly passwd: string; readonly group: string } {
  return {
    passwd: `root:x:0:0:root:/:/bin/sh\nrun:x:${uid}:${gid}:run:/:/bin/sh\n`,
    group: `root:x:0:\nrun:x:${gid}:\n`,
  };
}

/** Directories that every system has, and few have programs in. */
const places = ['/mnt', '/media', '/srv'];

/** @param programs what must not be covered */
export function placeBesides(programs: readonly string[]): string {
  return places.find((place) => !programs.some((path) => path.startsWith(`${place}/`))) ?? '/mnt';
}

export interface Maker {
  /** A mount namespace is made; by an ordinary user, together with a user namespace that allows it. */
  readonly namespace: 'mount' | 'user' | 'none';
  readonly script: readonly string[];
  /** Files of the control groups that the run is to join. */
  readonly groups: readonly string[];
  /** As root: who the command runs as. Undefined: whoever we are. */
  readonly user: SandboxUser | undefined;
}

/** The words that put everything around the rest of a command line. */
export function makerCommand({ namespace, script, groups, user }: Maker): string[] {
  const opened = groups.map((file, index) => `exec ${groupDescriptors[index]}>${quoteShellWord(file)}`);
  const lines = [
    'set -e',
    ...script,
    // Apptainer goes on when its supervisor is killed, the sign of whose life has to end then.
    `exec ${descriptors.alive}>&- ${descriptors.info}>&-`,
    ...opened,
    'exec "$@"',
  ];
  return [
    ...(namespace === 'none'
      ? []
      : [
          'unshare',
          ...(namespace === 'user' ? ['--user', '--map-current-user', '--keep-caps'] : []),
          '--mount',
          '--propagation',
          'private',
        ]),
    '/bin/sh',
    '-c',
    lines.join('\n'),
    'run',
    '/usr/bin/setpriv',
    ...(user ? ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'] : []),
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--no-new-privs',
  ];
}
