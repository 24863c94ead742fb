/** The text of `cl-worker --help`. */
import { flags, type Flag, type Section } from './flags.ts';

const width = 100;
const indent = ' '.repeat(6);

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
    const entries = flags.filter((flag) => flag.section === section).map(describe);
    return `${section}:\n${entries.join('\n')}`;
  });
  return `${[opening.trimEnd(), ...parts].join('\n\n')}\n${closing}`;
}

function describe(flag: Flag): string {
  const head = `  --${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
  const words = flag.default === undefined ? flag.help : `${flag.help} Default: ${flag.default}.`;
  return [flag.old === true ? `${head}  (old)` : head, ...wrap(words)].join('\n');
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, indent + line];
}
