/** Sends a message to a port of a running command and hands on what it answers (execution.md §5.4). */
import { connect, type Socket } from 'node:net';
import { ReadProblem } from './read-problem.ts';
import { messageOf } from '../errors.ts';

/** Milliseconds to wait for the connection. */
const patience = 10_000;

/** The answer, up to the end the command gives it. @throws ReadProblem 500 where nobody listens. */
export async function netcat(
  address: string,
  port: number,
  message: string | Uint8Array,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const socket = await connected(address, port, signal);
  socket.write(message);
  return socket as AsyncIterable<Uint8Array>;
}

function connected(host: string, port: number, signal: AbortSignal): Promise<Socket> {
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
    socket.once('error', (error) =>
      reject(
        new ReadProblem(500, `Nothing can be reached at port ${port} of the run: ${messageOf(error)}`, {
          cause: error,
        }),
      ),
    );
    if (signal.aborted) abort();
  });
}
