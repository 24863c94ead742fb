/**
 * The commands a scripted runtime understands: a few lines that mean the same in a shell (`echo`, `sleep`, `exit`, `kill -9 $$`),
 * and some that stand for what a shell cannot do on demand.
 */

export type ScriptStep =
  /** Adds a line to the file `stdout`. */
  | { readonly kind: 'echo'; readonly text: string }
  | { readonly kind: 'sleep'; readonly milliseconds: number }
  | { readonly kind: 'exit'; readonly code: number }
  /** Ends as the kernel's out-of-memory killer would end it. */
  | { readonly kind: 'exhaust-memory' }
  /** The start is refused. */
  | { readonly kind: 'fail-to-start'; readonly reason: string }
  /** The run disappears as if somebody had removed its container. */
  | { readonly kind: 'vanish' }
  /** From here on, samples say so many bytes. */
  | { readonly kind: 'use-memory'; readonly bytes: number };

/** Reads a command: steps separated by new lines or semicolons. @throws Error for a step that is not understood */
export function parseScript(command: string): ScriptStep[] {
  return command
    .split(/[;\n]/)
    .map((text) => text.trim())
    .filter((text) => text !== '' && !text.startsWith('#'))
    .map(parseStep);
}

function parseStep(text: string): ScriptStep {
  const [name = ''] = text.split(' ', 1);
  const rest = text.slice(name.length).trim();
  switch (name) {
    case 'echo':
      return { kind: 'echo', text: rest };
    case 'sleep':
      return { kind: 'sleep', milliseconds: Number(rest) * 1000 };
    case 'true':
      return { kind: 'exit', code: 0 };
    case 'false':
      return { kind: 'exit', code: 1 };
    case 'exit':
      return { kind: 'exit', code: Number(rest || '0') };
    case 'kill':
      return { kind: 'exit', code: 128 + Number(/^-(?<signal>\d+) /.exec(rest)?.groups?.['signal'] ?? '15') };
    case 'exhaust-memory':
    case 'vanish':
      return { kind: name };
    case 'fail-to-start':
      return { kind: name, reason: rest };
    case 'use-memory':
      return { kind: name, bytes: Number(rest) };
    default:
      throw new Error(`A scripted run does not understand: ${text}`);
  }
}
