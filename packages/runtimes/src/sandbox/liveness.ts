/** Whether a supervisor lives: it holds the writing end of a named pipe, and the kernel closes it with its last breath. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { isErrno } from '../files/errno.ts';

/** Whether somebody holds the writing end now. */
export function isAlive(pipe: string): boolean {
  const descriptor = openReading(pipe);
  if (descriptor === undefined) {
    return false;
  }
  try {
    return hasWriter(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Resolves when nobody holds the writing end (any more). Rejects with the signal's reason. */
export async function untilDead(pipe: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const descriptor = openReading(pipe);
  if (descriptor === undefined) {
    return;
  }
  // The kernel reports the end only to those who were there before it.
  if (!hasWriter(descriptor)) {
    closeSync(descriptor);
    return;
  }
  await untilClosed(descriptor, signal);
}

function untilClosed(descriptor: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd: descriptor, readable: true, writable: false });
    const stop = (): void => void socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    socket.on('error', reject);
    socket.on('close', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    socket.resume();
  });
}

/** Opens without waiting for a writer. Undefined: the pipe was never made, or has been removed. */
function openReading(pipe: string): number | undefined {
  try {
    return openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return undefined;
    }
    throw error;
  }
}

/** Nothing is ever written: there is either nothing to read yet, or the end. */
function hasWriter(descriptor: number): boolean {
  try {
    return readSync(descriptor, Buffer.alloc(1)) > 0;
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) {
      return true;
    }
    throw error;
  }
}
