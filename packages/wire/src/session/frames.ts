/*
 * What travels between the two ends of a session: a command that somebody starts beside a run's own (`cl exec`, `cl shell`).
 *
 *   GET /rest/bundles/<uuid>/exec               WebSocket: the client's end; its first frame is `start`
 *   GET /rest/workers/<id>/session/<socket>     WebSocket: the worker's end, opened when a `session` message asks for it
 *
 * The server passes frames on. Binary frames carry bytes: one byte that names the stream, then its bytes. Text frames carry one
 * control message as JSON. Nobody sends more than `sessionWindow` bytes that the other end has not `taken`, so neither end has to
 * stop reading, and ends, sizes and closings never wait behind data.
 */

export const sessionStreams = { stdin: 0, stdout: 1, stderr: 2 } as const;
export type SessionStream = keyof typeof sessionStreams;

/** Bytes that may be on their way in one direction. */
export const sessionWindow = 1024 * 1024;
/** Bytes of data in one frame, at most. */
export const sessionPiece = 64 * 1024;
/** Bytes of one frame, of either kind, at most: more than the longest command line that a `start` carries. */
export const sessionFrame = 256 * 1024;

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** From the client: what to start. An empty command asks for a shell. */
export interface SessionStart {
  readonly type: 'start';
  readonly command: readonly string[];
  /** The size of the terminal; null for separate streams without a terminal. */
  readonly terminal: TerminalSize | null;
  /** What the terminal is called, as programs look it up. */
  readonly term?: string | undefined;
}

export type SessionControl =
  /** From the client: its terminal has another size. */
  | { readonly type: 'resize'; readonly rows: number; readonly columns: number }
  /** From the client: nothing more comes on standard input. */
  | { readonly type: 'end' }
  /** So many more bytes of the other end have been passed on to where they were going. */
  | { readonly type: 'taken'; readonly bytes: number }
  /** From the worker: the command runs. */
  | { readonly type: 'started' }
  /** From the worker, the last frame: how the command ended; above 128: by signal `code - 128`. */
  | { readonly type: 'exit'; readonly code: number }
  /** From worker or server, the last frame: there is no session (any more), and why. */
  | { readonly type: 'failed'; readonly code: string; readonly message: string; readonly next?: string };

export function sessionData(stream: SessionStream, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(bytes.byteLength + 1);
  frame[0] = sessionStreams[stream];
  frame.set(bytes, 1);
  return frame;
}

/** Undefined for a stream nobody knows. */
export function readSessionData(frame: Uint8Array): { stream: SessionStream; bytes: Uint8Array } | undefined {
  const names: readonly SessionStream[] = ['stdin', 'stdout', 'stderr'];
  const stream = names.find((name) => sessionStreams[name] === frame[0]);
  return stream === undefined ? undefined : { stream, bytes: frame.subarray(1) };
}

/** Undefined for text that is no control message of this version: it is passed over. */
export function readSessionControl(text: string): SessionControl | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return asControl(value);
}

function asControl(value: unknown): SessionControl | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, rows, columns, bytes, code, message, next } = value as Record<string, unknown>;
  switch (type) {
    case 'resize':
      return isSize(rows) && isSize(columns) ? { type, rows, columns } : undefined;
    case 'taken':
      return isCount(bytes) ? { type, bytes } : undefined;
    case 'exit':
      return isCount(code) ? { type, code } : undefined;
    case 'failed':
      return typeof code === 'string' && typeof message === 'string'
        ? { type, code, message, ...(typeof next === 'string' ? { next } : {}) }
        : undefined;
    case 'end':
    case 'started':
      return { type };
    default:
      return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** What the kernel takes. */
function isSize(value: unknown): value is number {
  return isCount(value) && value <= 65_535;
}
