/** Sends a message to a port of a running command and hands on what it answers (execution.md §5.4). */
import { connect, type Socket } from 'node:net';
import type { ReachablePort } from '@sheaf/runtimes';
import { ReadProblem } from './read-problem.ts';
import { messageOf } from '../errors.ts';

/** Milliseconds to wait for the connection. */
const patience = 10_000;
/** Milliseconds to wait for the first byte of an answer; the server waits 60 s. */
const firstByte = 50_000;

export interface NetcatOptions {
  readonly firstByte?: number;
}

/**
 * The answer, up to the end the command gives it. Nothing but a program of the run is ever spoken to: what was reached is asked
 * for again before a byte is sent, because a port may change hands meanwhile.
 * @param reach where the run's program that listens on a port is
 * @throws ReadProblem 400 for what is no port, 500 where nobody listens, 504 where nobody answers
 */
export async function netcat(
  reach: (port: number) => Promise<ReachablePort | undefined>,
  port: number,
  message: string | Uint8Array,
  signal: AbortSignal,
  options: NetcatOptions = {},
): Promise<AsyncIterable<Uint8Array>> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ReadProblem(400, `${port} is not a port.`);
  }
  const place = await reach(port);
  if (place === undefined) throw new ReadProblem(500, `No program of the run listens on port ${port}.`);
  const socket = await connected(place, signal);
  try {
    const again = await reach(port);
    if (again?.host !== place.host || again.port !== place.port) {
      throw new ReadProblem(500, `No program of the run listens on port ${port} any more.`);
    }
    socket.write(message);
    await answered(socket, port, options.firstByte ?? firstByte);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket as AsyncIterable<Uint8Array>;
}

function connected({ host, port }: ReachablePort, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const abort = () => socket.destroy();
    signal.addEventListener('abort', abort, { once: true });
    socket.once('close', () => signal.removeEventListener('abort', abort));
    socket.setTimeout(patience, () => socket.destroy(new Error('no answer came in time')));
    socket.once('connect', () => {
      socket.setTimeout(0);
      resolve(socket);
    });
    socket.on('error', (error) =>
      reject(
        new ReadProblem(500, `Nothing can be reached at port ${port} of the run: ${messageOf(error)}`, {
          cause: error,
        }),
      ),
    );
    if (signal.aborted) abort();
  });
}

/** Returns when there is something to read, or nothing will come. @throws ReadProblem */
function answered(socket: Socket, port: number, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (problem?: ReadProblem) => {
      clearTimeout(timer);
      socket.off('readable', ready);
      socket.off('close', broken);
      if (problem === undefined) resolve();
      else reject(problem);
    };
    const ready = () => settle();
    const broken = () => {
      const cause = socket.errored ?? undefined;
      settle(
        new ReadProblem(500, `The program at port ${port} broke off: ${messageOf(cause ?? 'closed')}`, {
          cause,
        }),
      );
    };
    const timer = setTimeout(() => {
      const seconds = Math.round(milliseconds / 1000);
      settle(new ReadProblem(504, `The program at port ${port} has not answered within ${seconds} seconds.`));
    }, milliseconds);
    socket.once('readable', ready);
    socket.once('close', broken);
    if (socket.destroyed) broken();
  });
}
