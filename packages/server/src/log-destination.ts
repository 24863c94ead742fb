/** Where the log goes: standard output. */
import { pino, type DestinationStream } from 'pino';

/** Bytes that wait while nothing can be written; what comes then is lost. */
const longestBacklog = 4 * 1024 * 1024;

/** A disk that is full, or a reader that is gone, keeps the log from being written, not the server from working. */
export function logDestination(): DestinationStream {
  const destination = pino.destination({ fd: 1, sync: true, maxLength: longestBacklog });
  destination.on('error', () => {
    // There is nobody to tell. Records wait and are written with the next one for which there is room.
  });
  return destination;
}
