/** A run as Apptainer wants to hear it: plain data in, a command line and an environment out. */
import { assertNever } from '@sheaf/domain';
import type { RunSpecification } from '../port.ts';

export interface ApptainerCall {
  readonly program: string;
  readonly run: Pick<RunSpecification, 'uuid' | 'network' | 'gpus'>;
  /** Directory of the image's files. */
  readonly image: string;
  readonly overlay: OverlayPlace;
  /** Directory in which /tmp and /var/tmp are. */
  readonly temporary: string;
  readonly binds: readonly Bind[];
  /** What to run once everything is in place. */
  readonly command: readonly string[];
}

/**
 * Where it goes what a run changes in its image: a directory with room for it, or memory, of which Apptainer's settings say how much;
 * or it can change nothing.
 */
export type OverlayPlace =
  | { readonly kind: 'disk'; readonly path: string }
  | { readonly kind: 'memory' }
  | { readonly kind: 'none' };

export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/**
 * Always in a user namespace, also where an administrator has given the program rights: all of a run's processes are its user's,
 * whose worker can enter it, and kill it.
 */
export function apptainerCommand(call: ApptainerCall): string[] {
  const { run, overlay } = call;
  const gpus = run.gpus.length > 0;
  return [
    call.program,
    // Warnings would be taken for words of the command's shell.
    '--silent',
    '--nocolor',
    'exec',
    '--userns',
    '--containall',
    '--cleanenv',
    '--no-eval',
    '--no-home',
    '--no-privs',
    '--uts',
    '--hostname',
    'run',
    ...(run.network ? [] : ['--net', '--network', 'none']),
    ...(gpus ? ['--nv'] : []),
    // What an administrator mounts into all containers belongs to no image. All of /sys would let a user who may make control
    // groups out of the one that limits the run; programs that use GPUs look for them there.
    '--no-mount',
    gpus ? 'bind-paths' : 'sys,bind-paths',
    ...overlayWords(overlay),
    '--workdir',
    call.temporary,
    ...call.binds.flatMap((bind) => ['--mount', mountWords(bind)]),
    '--pwd',
    `/${run.uuid}`,
    call.image,
    ...call.command,
  ];
}

function overlayWords(overlay: OverlayPlace): string[] {
  switch (overlay.kind) {
    case 'disk':
      return ['--overlay', overlay.path];
    case 'memory':
      return ['--writable-tmpfs'];
    case 'none':
      return [];
    default:
      return assertNever(overlay);
  }
}

/** A line of comma separated values: any path is one of them. */
function mountWords({ source, target, readOnly }: Bind): string {
  const fields = ['type=bind', `source=${source}`, `destination=${target}`, ...(readOnly ? ['ro'] : [])];
  return fields.map((field) => (/[",\s]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',');
}

/**
 * For the program itself, which hands on to the command what has this prefix, and nothing else: no library that a run asks to
 * preload is loaded by anything but the run, and no other user reads a secret in a list of processes. Names that no shell knows
 * cannot be handed on.
 */
export function apptainerEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(environment).filter(([name]) => /^[A-Za-z_]\w*$/.test(name));
  return Object.fromEntries(pairs.map(([name, value]) => [`APPTAINERENV_${name}`, value]));
}

/** What Apptainer adds to the environment, though nobody has asked for it. */
const noise = [
  'PS1',
  'PROMPT_COMMAND',
  'USER_PATH',
  ...['APPTAINER', 'SINGULARITY'].flatMap((prefix) =>
    ['APPNAME', 'BIND', 'COMMAND', 'CONTAINER', 'ENVIRONMENT', 'NAME', 'NO_EVAL'].map(
      (name) => `${prefix}_${name}`,
    ),
  ),
];

/** Descriptors of the files of control groups: those that the scripts of the supervisor leave. */
export const groupDescriptors = [4, 5, 6, 8] as const;

// Apptainer itself is left out of the run's groups: it needs more memory than many runs may have. The home directory is one of two
// variables that it does not hand on. The shell that has joined is left for a new one, whose memory is counted from the beginning.
/**
 * The first words inside: joins the control groups whose files are open, takes out of the environment what is not the run's, and
 * goes on with what follows.
 * @param shell path in the image
 * @param groups how many there are
 */
export function arrival(
  shell: string,
  groups: number,
  run: Pick<RunSpecification, 'uuid' | 'environment'>,
): string[] {
  const script = [
    ...groupDescriptors.slice(0, groups).map((file) => `echo 0 >&${file} && exec ${file}>&- || exit 1`),
    `unset ${noise.filter((name) => !(name in run.environment)).join(' ')}`,
    'HOME=$1',
    'export HOME',
    'shift',
    'exec "$@"',
  ];
  return [shell, '-c', script.join('\n'), 'run', `/${run.uuid}`];
}
