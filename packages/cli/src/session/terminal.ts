/** The terminal of this program, lent to a command elsewhere. */
import type { TerminalSize } from '@sheaf/wire';

/** Whether there is a person at both ends. */
export function hasTerminal(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

export function terminalSize(): TerminalSize {
  const { rows, columns } = process.stdout;
  return { rows, columns };
}

/** Every key goes to the command, Ctrl-C included; whatever happens, the terminal is as it was afterwards. */
export async function withRawTerminal<Result>(
  resized: (size: TerminalSize) => void,
  work: () => Promise<Result>,
): Promise<Result> {
  const wasRaw = process.stdin.isRaw;
  const listener = () => resized(terminalSize());
  process.stdin.setRawMode(true);
  process.stdout.on('resize', listener);
  try {
    return await work();
  } finally {
    process.stdout.off('resize', listener);
    process.stdin.setRawMode(wasRaw);
  }
}
