/**
 * Commands that are started inside a sandbox that exists already: a process joins the run's control groups and namespaces, gives
 * up its rights as the run's own command did, and becomes the command. Terminals come from util-linux's `script`.
 */
import { spawn, execFile, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { quoteShellWord } from '@sheaf/domain';
import { ChildSession } from '../exec/child-session.ts';
import { commandOnPath, marked } from '../exec/marking.ts';
import { RuntimeError, type ExecRequest, type ExecSession } from '../port.ts';
import { becomeUser, dropEverything } from './bubblewrap.ts';
import { killMarkedInside } from './processes.ts';
import type { SandboxUser } from './user.ts';

export interface EnterableSandbox {
  /** The process that is number 1 inside. */
  readonly first: number;
  /** Control groups to join. */
  readonly groups: readonly string[];
  /** Whether its namespaces belong to a user namespace that the worker's user has made. */
  readonly ownUserNamespace: boolean;
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
const readyDescriptor = 3;

// Outside: the terminal's name and size, then the control groups. Whoever waits for the command must not fall to the keys that
// are meant for it.
const outerScript = `
groups=$1 rows=$2 columns=$3 deaf=$4
shift 4
[ -z "$deaf" ] || trap '' $deaf
[ "$rows" = 0 ] || { tty && stty rows "$rows" cols "$columns"; } >&${readyDescriptor} || exit 1
for group in $groups; do
  echo 0 >"$group/cgroup.procs" || exit 1
done
exec "$@" ${readyDescriptor}>&-
`;

// Inside, as the run's user.
const innerScript = `
[ "$1" = 0 ] || ulimit -d "$1" || exit 1
cd "$2" || exit 1
shift 2
exec "$@"
`;

const plainEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
};

/** @throws RuntimeError the system lacks a program that is needed */
export async function execInSandbox(
  sandbox: EnterableSandbox,
  { command, terminal, environment }: ExecRequest,
): Promise<ExecSession> {
  const mark = randomBytes(12).toString('hex');
  const variables = { ...sandbox.environment, ...environment, ...marked(mark) };
  const size = terminal ?? { rows: 0, columns: 0 };
  const restored = terminal !== null && (await canRestoreSignals());
  const words = [
    '/bin/sh',
    '-c',
    outerScript,
    'enter',
    sandbox.groups.join(' '),
    // A terminal of no size has one all the same.
    String(terminal ? Math.max(size.rows, 1) : 0),
    String(Math.max(size.columns, 1)),
    restored ? keySignals.join(' ') : '',
    ...pinnedTo(sandbox.cpuset),
    ...enterCommand(sandbox),
    '/usr/bin/env',
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
  const child = terminal ? await start(withTerminal(words)) : await start(words);
  const name = terminal ? await terminalName(child) : undefined;
  return new ChildSession(child, {
    kill: () => killMarkedInside(sandbox.first, mark),
    resize: async ({ rows, columns }) => {
      if (name !== undefined) await setSize(name, rows, columns);
    },
  });
}

/** The words that put the rest of a command line inside. */
export function enterCommand(
  sandbox: Pick<EnterableSandbox, 'first' | 'ownUserNamespace' | 'ownNetwork' | 'user'>,
): string[] {
  return [
    'nsenter',
    '--target',
    String(sandbox.first),
    ...(sandbox.ownUserNamespace ? ['--user', '--preserve-credentials'] : []),
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    '--cgroup',
    ...(sandbox.ownNetwork ? ['--net'] : []),
    '--',
    ...(sandbox.user ? becomeUser(sandbox.user) : ['/usr/bin/setpriv', ...dropEverything]),
  ];
}

/** The words that pin the rest of a command line to processors; none for any processor. */
export function pinnedTo(cpuset: readonly number[]): string[] {
  return cpuset.length === 0 ? [] : ['/usr/bin/taskset', '--cpu-list', cpuset.join(',')];
}

function withTerminal(words: readonly string[]): string[] {
  const line = words.map(quoteShellWord).join(' ');
  return ['script', '--quiet', '--return', '--echo', 'always', '--command', `exec ${line}`, '/dev/null'];
}

async function start(words: readonly string[]): Promise<ChildProcessWithoutNullStreams> {
  const [program = '', ...parameters] = words;
  const child = spawn(program, parameters, {
    cwd: '/',
    detached: true,
    env: { ...plainEnvironment, SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  }) as unknown as ChildProcessWithoutNullStreams;
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new RuntimeError(`The command could not be started: ${program} is not installed on the worker`, {
      userError: false,
      cause: error,
    });
  }
  return child;
}

/** Undefined: it ended before it had one. `script` keeps the descriptor open, so that there is no end to wait for. */
async function terminalName(child: ChildProcessWithoutNullStreams): Promise<string | undefined> {
  const pipe = child.stdio[readyDescriptor] as Readable;
  let said = '';
  for await (const piece of pipe.setEncoding('utf8') as AsyncIterable<string>) {
    said += piece;
    if (said.includes('\n')) break;
  }
  return /^\/dev\/\S+$/m.exec(said)?.[0];
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

async function setSize(terminal: string, rows: number, columns: number): Promise<void> {
  try {
    await run('stty', ['-F', terminal, 'rows', String(rows), 'cols', String(columns)], {
      env: plainEnvironment,
    });
  } catch (error) {
    // It has ended, and its terminal with it.
    if (!(error instanceof Error && 'code' in error && error.code === 1)) throw error;
  }
}
