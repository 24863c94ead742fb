/** The text of `cl-worker --help`. */
import { describeFlag } from '@sheaf/client/node';
import { flags, type Flag, type Section } from './flags.ts';

const opening = `Usage: cl-worker --server URL [options]

Executes the runs of a Sheaf or CodaLab server on this machine. The worker opens all connections itself, so it needs no
open port. It asks for user name and password where it finds none; any user of the server may attach workers, and each
executes the runs of its owner (an administrator's: everybody's). To begin with:

  cl-worker --server http://localhost:2900 --tag mine
  cl run --request-queue mine 'echo hello'

\`cl workers\` lists the worker once it has said "Worker started!".
`;

const closing = `
Sizes are numbers with k, m, g or t. A flag may be cut short where that is clear (--tag-ex), and written --flag=value.
Flags marked (old) are those of earlier workers. Ctrl-C ends the worker; started again with the same --id and
--work-dir, it goes on with the runs that it had. SIGUSR1 (kill -USR1) lets it take no more runs, and end when those it
has are done. worker.sh is the same program, which skips flags it does not know.`;

export function helpText(): string {
  const sections = [...new Set<Section>(flags.map(({ section }) => section))];
  const parts = sections.map((section) => {
    const entries = flags
      .filter((flag) => flag.section === section)
      .map((flag: Flag) => describeFlag(flag, flag.old === true ? 'old' : undefined));
    return `${section}:\n${entries.join('\n')}`;
  });
  return `${[opening.trimEnd(), ...parts].join('\n\n')}\n${closing}`;
}
