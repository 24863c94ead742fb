/** How programs describe their flags in what `--help` says. */

export interface DescribedFlag {
  readonly name: string;
  /** What stands for the value; none for a switch. */
  readonly value?: string;
  readonly default?: string;
  readonly help: string;
}

const width = 100;
const indent = ' '.repeat(6);

/** @param remark such as `required`, behind the name */
export function describeFlag(flag: DescribedFlag, remark?: string): string {
  const head = `  --${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
  const words = flag.default === undefined ? flag.help : `${flag.help} Default: ${flag.default}.`;
  return [remark === undefined ? head : `${head}  (${remark})`, ...wrap(words)].join('\n');
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
