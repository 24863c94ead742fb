/**
 * Terminals of the engine. It takes the size of one only once its process has started, when programs have asked for it already: so
 * there is a shell at first that waits for a line (see `afterFirstLine`), which comes when the size is set.
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine/client.ts';
import { EngineError } from '../engine/errors.ts';
import type { TerminalSize } from '../port.ts';

/** Milliseconds in which a terminal must have appeared. */
const patience = 10_000;

/** Sets the size, lets the command begin, and takes the echo of that away. */
export async function giveTerminal(
  engine: EngineClient,
  id: string,
  size: TerminalSize,
  connection: Duplex,
): Promise<void> {
  if (size.rows > 0 && size.columns > 0) {
    await setSize(engine, id, size);
  }
  connection.write('\n');
  await dropEcho(connection);
}

async function setSize(engine: EngineClient, id: string, size: TerminalSize): Promise<void> {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      await engine.resizeExec(id, size);
      return;
    } catch (error) {
      if (!(error instanceof EngineError) || Date.now() > deadline) {
        throw error;
      }
    }
    const { Running, ExitCode } = await engine.inspectExec(id);
    // It could not even be started: what the engine says about it is on the connection.
    if (!Running && typeof ExitCode === 'number') {
      return;
    }
    await sleep(2);
  }
}

const echo = Buffer.from('\r\n');

/** Anything else that comes instead stays there to be read. */
async function dropEcho(connection: Duplex): Promise<void> {
  let said = Buffer.alloc(0);
  while (said.length < echo.length && !connection.readableEnded && !connection.destroyed) {
    const piece = connection.read() as Buffer | null;
    if (piece !== null) {
      said = Buffer.concat([said, piece]);
    } else {
      await Promise.race(['readable', 'end', 'close'].map((event) => once(connection, event)));
    }
  }
  const rest = said.subarray(0, echo.length).equals(echo) ? said.subarray(echo.length) : said;
  if (rest.length > 0) {
    connection.unshift(rest);
  }
}
