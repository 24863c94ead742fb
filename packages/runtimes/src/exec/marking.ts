/**
 * Finds what a session has started: every process inherits a variable with a name nobody else has. Process groups and sessions
 * of the system would miss what an interactive shell puts into the background.
 */

const variable = 'SHEAF_SESSION';

export function marked(mark: string): Record<string, string> {
  return { [variable]: mark };
}

/** Whether the environment of a process, as /proc has it, carries the mark. */
export function isMarked(environment: string, mark: string): boolean {
  return environment.split('\0').includes(`${variable}=${mark}`);
}

/**
 * A script for any shell, with nothing but what shells do themselves, that kills the marked processes it can see; again and
 * again, because they may start others meanwhile.
 */
export function killMarked(mark: string): string {
  return `
for round in 1 2 3 4 5 6 7 8 9 10; do
  found=
  for process in /proc/[0-9]*; do
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in
        *${variable}=${mark}*) kill -KILL "\${process#/proc/}" && found=yes; break ;;
      esac
    done <"$process/environ"
  done
  [ -n "$found" ] || exit 0
done 2>/dev/null
exit 0
`;
}

/** Has a shell look the command up, so that one that is not there is said so in the same words everywhere, with status 127. */
export function commandOnPath(command: readonly string[]): string[] {
  return ['/bin/sh', '-c', 'exec "$@"', 'sh', ...command];
}

/** The same, once a first line of input has come. */
export function afterFirstLine(command: readonly string[]): string[] {
  return ['/bin/sh', '-c', 'IFS= read -r line; unset line; exec "$@"', 'sh', ...command];
}
