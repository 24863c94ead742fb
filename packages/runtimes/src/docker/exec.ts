/** Commands that are started inside a container that runs already, over one connection to the engine each. */
import { randomBytes } from 'node:crypto';
import { PassThrough, type Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine/client.ts';
import { EngineError, EngineUnreachableError, isConflict, isNotFound } from '../engine/errors.ts';
import { splitFrames } from '../engine/frames.ts';
import { afterFirstLine, commandOnPath, killMarked, marked } from '../exec/marking.ts';
import { RuntimeError, type ExecRequest, type ExecSession, type TerminalSize } from '../port.ts';
import { giveTerminal } from './terminal.ts';

/** Milliseconds in which the engine notes the exit code after it has closed the connection. */
const codePatience = 10_000;
/** The same after the connection broke, which may mean anything. */
const brokenPatience = 2000;

/**
 * Starts a command as the container's own user, in its directory, within its limits.
 * @throws RuntimeError the container does not run (any more)
 */
export async function execInContainer(
  engine: EngineClient,
  container: string,
  request: ExecRequest,
): Promise<ExecSession> {
  const mark = randomBytes(12).toString('hex');
  const environment = { ...marked(mark), ...request.environment };
  const terminal = request.terminal !== null;
  try {
    const id = await engine.createExec(container, {
      Cmd: terminal ? afterFirstLine(request.command) : commandOnPath(request.command),
      Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      Tty: terminal,
    });
    const connection = await engine.startExec(id, terminal);
    if (request.terminal !== null) {
      await giveTerminal(engine, id, request.terminal, connection);
    }
    return new ContainerExec({ engine, container, id, mark, connection, terminal });
  } catch (error) {
    throw execFailure(error);
  }
}

interface Parts {
  readonly engine: EngineClient;
  readonly container: string;
  readonly id: string;
  readonly mark: string;
  readonly connection: Duplex;
  readonly terminal: boolean;
}

class ContainerExec implements ExecSession {
  readonly stdin: PassThrough = new PassThrough();
  readonly stdout: PassThrough = new PassThrough();
  readonly stderr: PassThrough = new PassThrough();
  readonly exit: Promise<number>;
  readonly #parts: Parts;
  #closed: Promise<void> | undefined;
  #over = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { connection, terminal } = parts;
    this.stdin.on('end', () => this.#endInput());
    this.stdin.pipe(connection, { end: false });
    // A command that has ended takes no more input; the engine answers with a reset.
    connection.on('error', () => this.stdin.unpipe(connection));
    this.exit = this.#exit();
    // Whoever waits for it hears of it; nobody has to.
    this.exit.catch(() => undefined);
    if (terminal) {
      this.stderr.end();
      connection.pipe(this.stdout, { end: false });
      void this.#endOutput(finished(connection, { writable: false }));
    } else {
      void this.#endOutput(splitFrames(connection, this.stdout, this.stderr));
    }
  }

  /** Where the connection breaks, because input was left over or of itself, it is the end of the command that says which. */
  async #endOutput(said: Promise<void>): Promise<void> {
    const streams = [this.stdout, this.stderr];
    try {
      await said.catch(() => this.exit);
      for (const stream of streams) stream.end();
    } catch (error) {
      for (const stream of streams) stream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async resize(size: TerminalSize): Promise<void> {
    if (!this.#parts.terminal || this.#over || size.rows === 0 || size.columns === 0) {
      return;
    }
    try {
      await this.#parts.engine.resizeExec(this.#parts.id, size);
    } catch (error) {
      // It has ended, or its terminal is not there quite yet: the next change of size will be heard.
      if (!(error instanceof EngineError)) {
        throw error;
      }
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { engine, container, connection, mark, id } = this.#parts;
    if (this.#over) {
      return;
    }
    try {
      await runQuietly(engine, container, killMarked(mark));
      await this.#ended(id);
    } catch (error) {
      // Without the container there is nothing left to kill.
      if (!isNotFound(error) && !isConflict(error)) {
        throw error;
      }
    } finally {
      connection.destroy();
    }
  }

  /** The end of a terminal's input is a character; only the command decides what it means. */
  #endInput(): void {
    const { connection, terminal } = this.#parts;
    if (terminal) {
      connection.write('\x04');
    } else {
      connection.end();
    }
  }

  async #exit(): Promise<number> {
    const { connection, id } = this.#parts;
    try {
      await finished(connection, { writable: false });
    } catch (error) {
      if (connection.errored === null) {
        // Closed by us.
        return 137;
      }
      // Input that a command has not read when it ends has the engine break the connection.
      const code = await this.#codeWithin(brokenPatience, id);
      if (code !== undefined) return code;
      throw new RuntimeError('The connection to the container engine broke', {
        userError: false,
        cause: error,
      });
    }
    return await this.#ended(id);
  }

  async #ended(id: string): Promise<number> {
    const code = await this.#codeWithin(codePatience, id);
    this.#over = true;
    return code ?? 137;
  }

  /** Undefined: it has not ended by then. */
  async #codeWithin(milliseconds: number, id: string): Promise<number | undefined> {
    const deadline = performance.now() + milliseconds;
    for (let pause = 2; ; pause = Math.min(2 * pause, 100)) {
      const { Running, ExitCode } = await this.#inspect(id);
      if (!Running) {
        this.#over = true;
        return ExitCode ?? 137;
      }
      if (performance.now() > deadline) return undefined;
      await sleep(pause);
    }
  }

  async #inspect(id: string): Promise<{ Running: boolean; ExitCode?: number | null | undefined }> {
    try {
      return await this.#parts.engine.inspectExec(id);
    } catch (error) {
      // Gone with its container.
      if (isNotFound(error) || isConflict(error)) {
        return { Running: false, ExitCode: 137 };
      }
      throw error;
    }
  }
}

/** Runs a script inside the container to its end. */
async function runQuietly(engine: EngineClient, container: string, script: string): Promise<void> {
  const id = await engine.createExec(container, { Cmd: ['/bin/sh', '-c', script], Env: [], Tty: false });
  const connection = await engine.startExec(id, false);
  connection.end();
  connection.resume();
  await finished(connection, { writable: false });
}

function execFailure(error: unknown): unknown {
  if (isNotFound(error) || isConflict(error)) {
    return new RuntimeError('The run has ended', { userError: true, cause: error });
  }
  if (error instanceof EngineError || error instanceof EngineUnreachableError) {
    return new RuntimeError(`The command could not be started: ${error.message}`, {
      userError: false,
      cause: error,
    });
  }
  return error;
}
