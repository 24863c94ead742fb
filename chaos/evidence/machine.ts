/** What is left on the machine and on the disks of the workers when all programs have ended. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Files and empty directories of a work directory, besides the cache. Of a directory with something in it, only that. */
export function filesOf(workDirectory: string): string[] {
  const look = (path: string, isTop: boolean): string[] => {
    const names = readdirSync(path, { withFileTypes: true });
    return names.flatMap((entry) => {
      const inside = join(path, entry.name);
      if (!entry.isDirectory()) return [relative(workDirectory, inside)];
      if (isTop && entry.name === 'cache') return [];
      // The directories that it makes for what comes and goes may stay, when they are empty.
      const below = look(inside, false);
      return isTop || below.length > 0 ? below : [`${relative(workDirectory, inside)}/`];
    });
  };
  return existsSync(workDirectory) ? look(workDirectory, true) : [];
}

/** Processes that have to do with a run, of all that there are: their words, their directory or their root tell. */
export function processesOf(directory: string, uuids: ReadonlySet<string>): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const words = textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
      const uuid = /0x[0-9a-f]{32}/u.exec(words)?.[0];
      const isOurs = words.includes(`${directory}/`) || (uuid !== undefined && uuids.has(uuid));
      return isOurs ? [`${pid} ${words.slice(0, 200)}`] : [];
    });
}

/** Mounts below a directory; those that the experiment itself has made excepted. */
export function mountsBelow(directory: string, own: readonly string[]): string[] {
  return textOf('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${directory}/`) && !own.includes(path));
}

/** Control groups of runs. */
export function groupsOf(uuids: ReadonlySet<string>): string[] {
  const root = '/sys/fs/cgroup';
  const bases = [root, ...readdirSync(root).map((name) => join(root, name))].map((base) =>
    join(base, 'sheaf'),
  );
  return bases
    .filter((base) => existsSync(base))
    .flatMap((base) =>
      readdirSync(base)
        .filter((name) => uuids.has(name.slice(0, 34)) && statSync(join(base, name)).isDirectory())
        .map((name) => join(base, name)),
    );
}

/**
 * The same seed names the same runs: what an experiment that was broken off has left is removed before, so that it is not found after.
 * @throws Error a process is still in one of the groups
 */
export function forgetGroupsOf(uuids: ReadonlySet<string>): void {
  for (const group of groupsOf(uuids)) rmdirSync(group);
}

/** On a worker's host: its containers, its networks with their interfaces, and its firewall rules. */
export function engineLeftovers(hostWords: readonly string[], engineAddress: string, name: string): string[] {
  const on = (words: readonly string[]): string[] => {
    const [program = '', ...rest] = words;
    const { status, stdout, stderr, error } = spawnSync(program, rest, { encoding: 'utf8' });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}: ${stderr}`);
    return stdout.split('\n').filter((line) => line !== '');
  };
  const docker = ['docker', '--host', engineAddress];
  const containers = on([...docker, 'ps', '--all', '--format', 'container {{.Names}} {{.Status}}']);
  const networks = on([
    ...docker,
    'network',
    'ls',
    '--filter',
    'type=custom',
    '--format',
    'network {{.Name}}',
  ]);
  const rules = on([...hostWords, 'iptables-save']).filter((line) => /sheaf/iu.test(line));
  return [...containers, ...networks, ...rules.map((line) => `rule ${line}`)].map(
    (line) => `${line} on ${name}`,
  );
}

/** Empty for a process that has ended meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
