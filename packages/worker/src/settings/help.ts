/** The text of `cl-worker --help`. */
import { flags, type Flag, type Section } from './flags.ts';

const width = 100;
const indent = ' '.repeat(6);

const opening = `Usage: cl-worker --server URL [options]

Executes the runs of a Sheaf or CodaLab server on this machine. The worker opens all connections itself, so it needs no
open port. Start one, and \`cl workers\` lists it:

  CODALAB_USERNAME=alice CODALAB_PASSWORD=secret cl-worker --server http://localhost:2900 --id mine
`;

const closing = `
Sizes are numbers with k, m, g or t. Ctrl-C ends the worker; started again with the same --id and --work-dir, it goes on
with the runs that it had.`;

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
  return [head, ...wrap(words)].join('\n');
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
