/** Which session a `cl` process belongs to: the shell it was called from (cli.md §2.10). */

export interface AncestorProcess {
  readonly pid: number;
  readonly parent: number;
  /** The first word of its command line. */
  readonly program: string;
}

const shells = /^-?(?:sh|bash|csh|tcsh|zsh|python|ruby|powershell|cmd)/;
const mostSteps = 10;

/**
 * The highest process of the unbroken chain of shells and interpreters above `cl`; `top` where there is none.
 * @param look what is known about a process; undefined where it may not be inspected.
 */
export function sessionName(parent: number, look: (pid: number) => AncestorProcess | undefined): string {
  let name = 'top';
  let pid = parent;
  for (let step = 0; step < mostSteps && pid > 0; step += 1) {
    const found = look(pid);
    if (found === undefined || !shells.test(found.program.replace(/^.*\//, ''))) break;
    name = String(found.pid);
    pid = found.parent;
  }
  return name;
}
