/**
 * Commands that are started inside a sandbox that exists already: a process joins the run's control groups and namespaces, gives
 * up its rights as the run's own command did, and becomes the command. Terminals come from util-linux's `script`.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { ChildSession } from '../exec/child-session.ts';
import { commandOnPath, marked } from '../exec/marking.ts';
import { startSessionProcess } from '../exec/start-process.ts';
import {
  plainEnvironment,
  setTerminalSize,
  terminalDescriptor,
  terminalName,
  withTerminal,
} from '../exec/terminals.ts';
import type { ExecRequest, ExecSession } from '../port.ts';
import { dropEverything, identity } from './bubblewrap.ts';
import { killMarkedInside } from './processes.ts';
import { isRoot, type SandboxUser } from './user.ts';

/** How to come from outside to where a run is. */
export interface Entry {
  /** Whether its namespaces belong to a user namespace that the worker's user has made. */
  readonly ownUserNamespace: boolean;
  /**
   * Inside: the words of `setpriv`, which an image need not have. Undefined: nobody is more in there than the worker's user, who
   * keeps no capability, and gets none where new privileges are refused beforehand.
   */
  readonly setpriv: readonly string[] | undefined;
  /** Inside: the words of `env`. */
  readonly env: readonly string[];
  /** A directory in which those words are, open on `toolsDescriptor`. */
  readonly tools: string | undefined;
}

/** Of sandboxes that show the host's own system. */
export function hostEntry(): Entry {
  return {
    ownUserNamespace: !isRoot(),
    setpriv: ['/usr/bin/setpriv'],
    env: ['/usr/bin/env'],
    tools: undefined,
  };
}

export const toolsDescriptor = 4;

export interface EnterableSandbox extends Entry {
  /** The process that is number 1 inside. */
  readonly first: number;
  /** Control groups to join. */
  readonly groups: readonly string[];
  readonly ownNetwork: boolean;
  /** Where commands start, as they see it. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly user: SandboxUser | null;
  readonly cpuset: readonly number[];
  /** Bytes of data of each process; 0: unlimited. */
  readonly dataLimit: number;
}

/** Descriptor on which the outer script says which terminal it has, and that everything is in place. */
const readyDescriptor = terminalDescriptor;

// Outside: the terminal's name and size, then the control groups. Whoever waits for the command must not fall to the keys that
// are meant for it.
const outerScript = `
groups=$1 rows=$2 columns=$3 deaf=$4 tools=$5
shift 5
[ -z "$tools" ] || exec ${toolsDescriptor}<"$tools" || exit 1
[ -z "$deaf" ] || trap '' $deaf
[ "$rows" = 0 ] || { tty && stty rows "$rows" cols "$columns"; } >&${readyDescriptor} || exit 1
for group in $groups; do
  echo 0 >"$group" || exit 1
done
exec "$@" ${readyDescriptor}>&-
`;

// Inside, as the run's user.
const innerScript = `
[ "$1" = 0 ] || ulimit -d "$1" || exit 1
cd "$2" || exit 1
shift 2
exec "$@" ${toolsDescriptor}<&-
`;

/** @throws RuntimeError the system lacks a program that is needed */
export async function execInSandbox(
  sandbox: EnterableSandbox,
  { command, terminal, environment }: ExecRequest,
): Promise<ExecSession> {
  const mark = randomBytes(12).toString('hex');
  const variables = { ...sandbox.environment, ...environment, ...marked(mark) };
  const asked = terminal ?? { rows: 0, columns: 0 };
  const restored = terminal !== null && (await canRestoreSignals());
  const words = [
    '/bin/sh',
    '-c',
    outerScript,
    'enter',
    sandbox.groups.join(' '),
    // A terminal of no size has one all the same.
    String(terminal ? Math.max(asked.rows, 1) : 0),
    String(Math.max(asked.columns, 1)),
    restored ? keySignals.join(' ') : '',
    sandbox.tools ?? '',
    ...pinnedTo(sandbox.cpuset),
    ...enterCommand(sandbox),
    ...sandbox.env,
    ...(restored ? [`--default-signal=${keySignals.join(',')}`] : []),
    '-i',
    ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    '/bin/sh',
    '-c',
    innerScript,
    'run',
    sandbox.dataLimit === 0 ? '0' : String(Math.ceil(sandbox.dataLimit / 1024)),
    sandbox.directory,
    ...commandOnPath(command),
  ];
  const child = await startSessionProcess(terminal ? withTerminal(words) : words);
  const name = terminal ? await terminalName(child) : undefined;
  return new ChildSession(child, {
    kill: () => killMarkedInside(sandbox.first, mark),
    resize: async (size) => {
      if (name !== undefined) await setTerminalSize(name, size);
    },
  });
}

/** The words that put the rest of a command line inside. */
export function enterCommand(
  sandbox: Pick<EnterableSandbox, 'first' | 'ownUserNamespace' | 'ownNetwork' | 'user' | 'setpriv'>,
): string[] {
  const { user, setpriv } = sandbox;
  return [
    ...(setpriv === undefined ? ['/usr/bin/setpriv', '--no-new-privs'] : []),
    'nsenter',
    '--target',
    String(sandbox.first),
    ...(sandbox.ownUserNamespace ? ['--user', '--preserve-credentials'] : []),
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    ...(setpriv === undefined ? [] : ['--cgroup']),
    ...(sandbox.ownNetwork ? ['--net'] : []),
    '--',
    ...(setpriv === undefined ? [] : [...setpriv, ...(user ? identity(user) : []), ...dropEverything]),
  ];
}

/** The words that pin the rest of a command line to processors; none for any processor. */
export function pinnedTo(cpuset: readonly number[]): string[] {
  return cpuset.length === 0 ? [] : ['/usr/bin/taskset', '--cpu-list', cpuset.join(',')];
}

const run = promisify(execFile);

const keySignals = ['INT', 'QUIT'];
let restoring: Promise<boolean> | undefined;

/** Whether \`env\` can undo that a signal is ignored (coreutils 8.31 and later). */
function canRestoreSignals(): Promise<boolean> {
  restoring ??= run('/usr/bin/env', ['--default-signal=INT', 'true'], { env: plainEnvironment }).then(
    () => true,
    () => false,
  );
  return restoring;
}
